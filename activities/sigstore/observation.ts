import type { JudgeContext } from './judge-context.ts';
import { failed, type ProvenEntry, type Refusal, refuse, type Step } from './judgement.ts';
import type { Signing } from './library-step.ts';
import { proveEntries } from './log/entries.ts';
import type { Requirement } from './requirement/requirement.ts';
import { type ProvenTimestamps, proveTimestamps } from './timestamps.ts';

/** What others than the signer saw of a signature. */
export interface Observation {
  readonly entries: readonly ProvenEntry[];
  /** Verified times of signing, each once; at least one for a certificate. */
  readonly times: readonly Date[];
}

/**
 * Proves what timestamp authorities and logs say of a signature, and counts it against the requirement. A certificate
 * needs a time: where nothing is asked for and nobody saw the signature it is the time of judging, as for
 * `cosign verify --insecure-ignore-tlog`.
 */
export function observe(signing: Signing, requirement: Requirement, context: JudgeContext): Step<Observation> {
  const stamps = proveTimestamps(signing, requirement);
  if (!stamps.ok) return stamps;
  const stamped = stamps.value.proven.map(({ time }) => time);
  const logged = proveEntries(signing, requirement, stamped, context);
  if (!logged.ok) return logged;
  const entries = logged.value;
  const promised = entries.flatMap(({ integratedTime }) => (integratedTime === undefined ? [] : [integratedTime]));
  const times = [...new Set([...stamped.map((time) => time.getTime()), ...promised])].map((time) => new Date(time));
  const refusal = checkObservers(stamps.value, entries, requirement.observers);
  if (refusal !== undefined) return failed(refusal);
  if (times.length > 0 || requirement.signer.kind === 'key') return { ok: true, value: { entries, times } };
  if (asksForNothing(requirement)) return { ok: true, value: { entries, times: [context.now] } };
  const sentence =
    'the signature has no trusted timestamp, which a certificate signature needs; sign with a timestamp authority or a transparency log';
  return failed(stamps.value.passedOver ?? refuse('TIMESTAMP_MISSING', sentence));
}

function asksForNothing({ log, timestamps, observers }: Requirement): boolean {
  return log === undefined && timestamps === 0 && observers === 0;
}

/** Observers are authorities and logs, each once however often it looked. */
function checkObservers(
  { proven, passedOver }: ProvenTimestamps,
  entries: readonly ProvenEntry[],
  expected: number,
): Refusal | undefined {
  const logs = entries.filter(({ integratedTime }) => integratedTime !== undefined).map(({ logId }) => logId);
  const found = new Set([...proven.map(({ authority }) => authority), ...logs]).size;
  if (found >= expected) return undefined;
  const sentence = `expected ${expected} trusted timestamps, found ${found}`;
  return passedOver ?? refuse('TIMESTAMP_MISSING', sentence);
}
