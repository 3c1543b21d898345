import { EvidenceError } from '../evidence-error.ts';

/**
 * Waits for a client that may keep to no time limit of ours, or can't be told to stop. Throws KMS_TIMEOUT when the signal
 * ends the wait; what the call comes to after that is nobody's business any more.
 */
export async function within<T>(what: string, signal: AbortSignal, call: () => Promise<T>): Promise<T> {
  const timedOut = () =>
    new EvidenceError('KMS_TIMEOUT', `${what}: no complete answer within the time limit`, { retryable: true });
  if (signal.aborted) throw timedOut();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const end = () => reject(timedOut());
  signal.addEventListener('abort', end, { once: true });
  try {
    return await Promise.race([call(), ended]);
  } finally {
    signal.removeEventListener('abort', end);
  }
}
