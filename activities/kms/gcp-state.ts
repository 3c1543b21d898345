import { quote } from '../sigstore/quote.ts';
import type { KeyState } from './managed-key.ts';

/** Reads `CryptoKeyVersionState`. `undefined` for one that nobody knows. */
export function gcpState(state: string): KeyState | undefined {
  switch (state) {
    case 'ENABLED':
      return { kind: 'usable' };
    case 'DISABLED':
      return { kind: 'unusable', code: 'KEY_DISABLED', sentence: 'the version is disabled' };
    case 'DESTROY_SCHEDULED':
    case 'PENDING_EXTERNAL_DESTRUCTION':
    case 'EXTERNAL_DESTRUCTION_FAILED':
      return { kind: 'unusable', code: 'KEY_PENDING_DELETION', sentence: 'the version is to be destroyed' };
    case 'DESTROYED':
      return { kind: 'unusable', code: 'KEY_NOT_FOUND', sentence: 'the version is destroyed' };
    case 'PENDING_GENERATION':
    case 'PENDING_IMPORT':
    case 'IMPORT_FAILED':
    case 'GENERATION_FAILED':
      return { kind: 'unusable', code: 'KEY_UNAVAILABLE', sentence: `the version is not made: ${quote(state)}` };
    default:
      return undefined;
  }
}
