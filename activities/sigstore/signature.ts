import { type ExpectedImage, refuse, type SignatureJudgement } from './judgement.ts';
import type { VerificationKey } from './key.ts';
import { judgeBundle } from './keyed-bundle.ts';
import { judgeSimpleSigning } from './simple-signing.ts';

export type { ExpectedImage, SignatureJudgement } from './judgement.ts';

/** One signature as it was fetched; `signature` of simple signing is the base64 of the layer's annotation. */
export type SignatureContent =
  | { readonly format: 'bundle'; readonly bundle: Uint8Array }
  | { readonly format: 'simple-signing'; readonly payload: Uint8Array; readonly signature: string };

/**
 * Judges one signature by one key: it is valid when the key signed it and it is about the expected image. Never throws:
 * whatever goes wrong over hostile bytes makes the signature EVIDENCE_MALFORMED, never valid.
 */
export function judge(signature: SignatureContent, key: VerificationKey, expected: ExpectedImage): SignatureJudgement {
  try {
    switch (signature.format) {
      case 'bundle':
        return judgeBundle(signature.bundle, key, expected);
      case 'simple-signing':
        return judgeSimpleSigning(signature.payload, signature.signature, key, expected);
    }
  } catch {
    return refuse('EVIDENCE_MALFORMED', "the signature can't be read: it made its reader fail");
  }
}
