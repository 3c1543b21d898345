import { EvidenceError } from '../evidence-error.ts';

/**
 * Loads a service's own client, which is only installed where keys of that service are used. `packages` is what to
 * install, with versions. Throws KMS_UNREACHABLE, not to be tried again, where it is not.
 */
export async function loadClient<T>(packages: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND';
    if (!missing) throw error;
    const message = `the client for this kind of key is not installed: npm install --no-save ${packages}`;
    throw new EvidenceError('KMS_UNREACHABLE', message, { retryable: false });
  }
}
