import type { SignatureSet, SignaturesRequest } from '../workflows/activities.ts';
import { policySet } from './applied-policy.ts';
import type { Dependencies } from './dependencies.ts';
import { registryOf } from './judge-evidence.ts';
import { findSignatures } from './registry/signatures.ts';

/**
 * Every place in one source where signatures and attestations of this digest can live. The bytes stay in the worker's
 * cache. Throws the REGISTRY_ codes, POLICY_CHANGED.
 */
export async function fetchSignatures(
  dependencies: Dependencies,
  request: SignaturesRequest,
  signal: AbortSignal,
): Promise<SignatureSet> {
  const set = policySet(dependencies, request.policyRevision);
  return await findSignatures(registryOf(dependencies, set, request.source), request, signal, dependencies.registry);
}
