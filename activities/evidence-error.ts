import type { ReasonCode } from '../workflows/verdict/reason.ts';

/**
 * Evidence that could not be obtained or read. Thrown by the folders that activities stand on; `failure.ts` turns it
 * into the one shape that crosses Temporal. The message is one line, holds no secret and says what was being done,
 * what was expected and what was found.
 */
export class EvidenceError extends Error {
  override readonly name = 'EvidenceError';
  readonly code: ReasonCode;
  /** True when the same question may be answered differently in a moment. */
  readonly retryable: boolean;
  /** How long the source asked us to wait (`Retry-After`), in ms. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ReasonCode,
    message: string,
    options: { readonly retryable: boolean; readonly retryAfterMs?: number; readonly cause?: unknown },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable;
    this.retryAfterMs = options.retryAfterMs;
  }
}
