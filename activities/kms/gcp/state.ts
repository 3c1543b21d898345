import { quote } from '../../text/quote.ts';
import type { KeyState } from '../managed-key.ts';

/** Reads `CryptoKeyVersionState`. `undefined` for one that nobody knows. */
export function gcpState(resource: string, state: string): KeyState | undefined {
  switch (state) {
    case 'ENABLED':
      return { kind: 'usable' };
    case 'DISABLED':
      return {
        kind: 'unusable',
        code: 'KEY_DISABLED',
        sentence: `the key ${resource} is disabled in Google Cloud KMS`,
      };
    case 'DESTROY_SCHEDULED':
    case 'PENDING_EXTERNAL_DESTRUCTION':
    case 'EXTERNAL_DESTRUCTION_FAILED':
      return {
        kind: 'unusable',
        code: 'KEY_PENDING_DELETION',
        sentence: `the key ${resource} is to be destroyed in Google Cloud KMS`,
      };
    case 'DESTROYED':
      return {
        kind: 'unusable',
        code: 'KEY_NOT_FOUND',
        sentence: `the key ${resource} is destroyed in Google Cloud KMS`,
      };
    case 'PENDING_GENERATION':
    case 'PENDING_IMPORT':
    case 'IMPORT_FAILED':
    case 'GENERATION_FAILED':
      return {
        kind: 'unusable',
        code: 'KEY_UNAVAILABLE',
        sentence: `the key ${resource} is not ready: ${quote(state)}`,
      };
    default:
      return undefined;
  }
}
