import { MAX_KMS_REQUEST_MS } from '../limits.ts';
import { type Call, kmsFailure } from './failure.ts';

/**
 * Asks by a client that may keep to no time limit of ours, or can't be told to stop: looking for credentials may hang
 * too. Throws KMS_TIMEOUT after {@link MAX_KMS_REQUEST_MS}, what `toFailure` makes of an error of the client, and the
 * reason of the caller's own signal. What the question comes to after that is nobody's business any more.
 */
export async function within<T>(
  call: Call,
  signal: AbortSignal,
  ask: (signal: AbortSignal) => Promise<T>,
  toFailure: (error: unknown) => unknown,
): Promise<T> {
  signal.throwIfAborted();
  const limited = AbortSignal.any([signal, AbortSignal.timeout(MAX_KMS_REQUEST_MS)]);
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const end = () => reject(limited.reason);
  limited.addEventListener('abort', end, { once: true });
  try {
    return await Promise.race([ask(limited), ended]);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw limited.aborted ? kmsFailure('timeout', call) : toFailure(error);
  } finally {
    limited.removeEventListener('abort', end);
  }
}
