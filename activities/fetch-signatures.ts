import type { SignatureSet, SignaturesRequest } from '../workflows/activities.ts';
import type { Dependencies } from './dependencies.ts';
import { findSignatures } from './registry/signatures.ts';

/** Every place signatures can live for this digest. The bytes stay in the worker's cache. Throws the REGISTRY_ codes. */
export async function fetchSignatures(
  { registry }: Pick<Dependencies, 'registry'>,
  request: SignaturesRequest,
  signal: AbortSignal,
): Promise<SignatureSet> {
  return await findSignatures(registry, request, signal);
}
