import { EvidenceError } from '../evidence-error.ts';
import { loadKeyManager } from '../kms/key-managers.ts';
import { parseKeyUri } from '../kms/key-uri.ts';
import type { KeyManager, KeyProvider } from '../kms/managed-key.ts';
import { createManagedVerdictKey } from './kms.ts';
import { loadVerdictKey, type VerdictKey } from './verdict-key.ts';

/** What asks a KMS, by the scheme of its URIs. */
export type KeyManagers = (provider: KeyProvider) => Promise<KeyManager>;

/**
 * Opens the key that signs verdicts: a PEM file, or a key in a KMS by its URI, which is tried once. Throws with what to
 * do; nothing of a file, and nothing of credentials, is in an error.
 */
export async function openVerdictKey(fileOrUri: string, managers: KeyManagers = loadKeyManager): Promise<VerdictKey> {
  // `awskms:alias` is no file that anybody means, and a path is never read as a URI.
  const isUri = /^[a-z0-9]{1,20}:/.test(fileOrUri);
  return isUri ? await openManagedKey(fileOrUri, managers) : await loadVerdictKey(fileOrUri);
}

/** Opens a key in a KMS. Throws with what to do when it can't sign verdicts that nodes would believe. */
export async function openManagedKey(uri: string, managers: KeyManagers = loadKeyManager): Promise<VerdictKey> {
  const parsed = parseKeyUri(uri);
  if (!parsed.ok) throw new Error(`verdict key: ${parsed.problem}`);
  try {
    return await createManagedVerdictKey(parsed.reference, managers);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    const again = error.retryable ? '; start again when the service answers' : '';
    throw new Error(`verdict key: ${error.code}: ${error.message}${again}`, { cause: error });
  }
}
