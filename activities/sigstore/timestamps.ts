import { failed, type Refusal, refuse, type Step } from './judgement.ts';
import type { Signing } from './library-step.ts';
import type { Requirement } from './requirement/requirement.ts';
import { tally } from './tally.ts';
import { type ProvenTimestamp, proveTimestamp } from './timestamp.ts';

export interface ProvenTimestamps {
  readonly proven: readonly ProvenTimestamp[];
  /** Why the first one of an authority that the trust root does not name was passed over. */
  readonly passedOver: Refusal | undefined;
}

/**
 * Proves the signed timestamps, and counts their authorities against the requirement. They are looked at where the
 * requirement or a certificate wants a time; then each has to hold, but for those of authorities that nobody named.
 */
export function proveTimestamps(signing: Signing, requirement: Requirement): Step<ProvenTimestamps> {
  const { timestamps, observers, signer, trust } = requirement;
  if (signer.kind === 'key' && timestamps === 0 && observers === 0) {
    return { ok: true, value: { proven: [], passedOver: undefined } };
  }
  const stamps = tally(
    signing.evidence.timestamps,
    (der) => proveTimestamp(der, signing, trust),
    ({ code }) => (code === 'TIMESTAMP_UNTRUSTED' ? 'pass over' : 'refuse'),
  );
  if (!stamps.ok) return stamps;
  const { proven, passedOver } = stamps.value;
  const refusal = checkDistinct(proven) ?? checkCount(proven, timestamps, passedOver);
  return refusal === undefined ? { ok: true, value: { proven, passedOver } } : failed(refusal);
}

function checkDistinct(proven: readonly ProvenTimestamp[]): Refusal | undefined {
  const distinct = new Set(proven.map(({ authority, time }) => `${authority}:${time.getTime()}`));
  if (distinct.size === proven.length) return undefined;
  return refuse('EVIDENCE_MALFORMED', 'the evidence holds the same signed timestamp twice');
}

function checkCount(
  proven: readonly ProvenTimestamp[],
  expected: number,
  passedOver: Refusal | undefined,
): Refusal | undefined {
  const found = new Set(proven.map(({ authority }) => authority)).size;
  if (found >= expected) return undefined;
  const sentence = `expected signed timestamps of ${expected} authorities, found ${found}`;
  return passedOver ?? refuse('TIMESTAMP_MISSING', sentence);
}
