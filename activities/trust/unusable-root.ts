import { EvidenceError } from '../evidence-error.ts';
import { quote } from '../text/quote.ts';
import type { KnownRoot, UsableRoot } from './known-root.ts';

/**
 * Why a trust root can't be used at this moment; `undefined` when it can. Its metadata may be past its time by
 * `graceMs`. The sentence names the mirror, what it did, and the date.
 */
export function whyUnusable(root: KnownRoot, now: number, graceMs: number): EvidenceError | undefined {
  const { usable, failure, attempted } = root.state();
  const retryable = root.mayChange || !attempted;
  if (usable !== undefined) {
    if (isCurrent(usable, now, graceMs)) return undefined;
    return expired(root, usable.expires, failure?.problem ?? 'the next look at it is due');
  }
  if (failure?.kind === 'expired') return expired(root, failure.expired, failure.problem);
  const what = `the trust root ${quote(root.name)}`;
  const message =
    failure === undefined
      ? `${what} is being fetched from ${root.from} for the first time; the next try finds it`
      : `${what} could not be read from ${root.from}: ${failure.problem}; ${fixFor(root)}`;
  return new EvidenceError('TRUST_ROOT_UNAVAILABLE', message, { retryable });
}

/** Whether the metadata behind a trust root still holds. */
export function isCurrent({ expires }: UsableRoot, now: number, graceMs: number): boolean {
  return expires === undefined || now < expires + graceMs;
}

function expired(root: KnownRoot, time: number | undefined, problem: string): EvidenceError {
  const date = time === undefined ? 'at an unknown date' : `on ${new Date(time).toISOString()}`;
  const message = `the trust root ${quote(root.name)} expired ${date}, and no newer one could be read from ${root.from}: ${problem}; ${fixFor(root)}`;
  return new EvidenceError('TRUST_ROOT_EXPIRED', message, { retryable: root.mayChange });
}

function fixFor(root: KnownRoot): string {
  return root.mayChange ? 'check the mirror and the network to it' : 'bring the document up to date';
}
