import { preAuthEncoding } from '../../../workflows/format/dsse.ts';
import type { SignatureContent } from './content.ts';
import { readEvidence } from './evidence.ts';

/** The bytes that a signature is over, and the signature: what another verifier is asked about. */
export interface SignedMaterial {
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

/** Reads it out of evidence, of which nothing is believed here; `undefined` for what can't be read. */
export function signedMaterial(content: SignatureContent): SignedMaterial | undefined {
  const evidence = readEvidence(content);
  if (!evidence.ok) return undefined;
  const { payload, signature } = evidence.value;
  switch (payload.kind) {
    case 'envelope':
      return { signed: preAuthEncoding(payload.type, payload.bytes), signature };
    case 'simple-signing':
      return { signed: payload.bytes, signature };
    case 'artifact':
      return undefined;
  }
}
