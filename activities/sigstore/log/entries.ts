import type { TransparencyLogEntry } from '@sigstore/bundle';
import type { JudgeContext } from '../judge-context.ts';
import { failed, type ProvenEntry, type Refusal, refuse, type Step } from '../judgement.ts';
import type { Signing } from '../library-step.ts';
import type { LogRequirement, Requirement } from '../requirement/requirement.ts';
import { type Tally, tally } from '../tally.ts';
import { countCosignatures } from './checkpoint.ts';
import { isBelievedAt, proveEntry, refuseExpired, refuseUntimed } from './entry.ts';
import { readFoundEntries } from './found-entry.ts';

/**
 * Proves the log entries and counts their logs against the requirement. Where the requirement wants entries, each one of
 * the evidence has to hold, but for those of logs that nobody named; where only a certificate wants a time, and for
 * those that a look-up found, one that does not hold is passed over. `seen` are the times that others vouch for.
 */
export function proveEntries(
  signing: Signing,
  requirement: Requirement,
  seen: readonly Date[],
  context: JudgeContext,
): Step<readonly ProvenEntry[]> {
  const { log, signer, observers, trust } = requirement;
  if (signer.kind === 'key' && log === undefined && observers === 0) return { ok: true, value: [] };
  const own = signing.evidence.entries;
  if (log !== undefined && new Set(own.map(nameOf)).size < own.length) {
    return failed(refuse('EVIDENCE_MALFORMED', 'the evidence holds the same log entry twice'));
  }
  const found = new Set(readFoundEntries(context.foundEntries ?? []));
  const proven = tally(
    [...own, ...found],
    (entry) => proveWhole(entry, signing, requirement),
    ({ code }, entry) => (log === undefined || found.has(entry) || code === 'LOG_UNKNOWN' ? 'pass over' : 'refuse'),
  );
  if (!proven.ok) return proven;
  const believed = tally(
    onceEach(proven.value.proven),
    (one) => checkWindow(one, timesOf(proven.value.proven, seen), context.now, trust),
    (_, { entry }) => (log === undefined || found.has(entry) ? 'pass over' : 'refuse'),
  );
  if (!believed.ok) return believed;
  const refusal = log === undefined ? undefined : checkCount(believed.value, log, proven.value.passedOver);
  return refusal === undefined ? { ok: true, value: believed.value.proven.map((one) => one.proof) } : failed(refusal);
}

interface Proven {
  readonly entry: TransparencyLogEntry;
  readonly proof: ProvenEntry;
}

function proveWhole(entry: TransparencyLogEntry, signing: Signing, { trust }: Requirement): Step<Proven> {
  const step = proveEntry(entry, signing, trust);
  return step.ok ? { ok: true, value: { entry, proof: step.value } } : step;
}

/** One body in one log is one entry, whatever index it claims. */
function nameOf({ logId, canonicalizedBody }: TransparencyLogEntry): string {
  return `${logId.keyId.toString('hex')}:${canonicalizedBody.toString('base64')}`;
}

function onceEach(proven: readonly Proven[]): readonly Proven[] {
  const names = proven.map(({ entry }) => nameOf(entry));
  return proven.filter((_, index) => names.indexOf(names[index] ?? '') === index);
}

/** When the signature was seen: the key of an entry without a time has to be valid then. Empty when nothing says it. */
function timesOf(entries: readonly Proven[], seen: readonly Date[]): readonly Date[] {
  const logged = entries.flatMap(({ proof }) =>
    proof.integratedTime === undefined ? [] : [new Date(proof.integratedTime)],
  );
  return [...seen, ...logged];
}

function checkWindow(one: Proven, times: readonly Date[], now: Date, trust: Requirement['trust']): Step<Proven> {
  if (one.proof.integratedTime !== undefined) return { ok: true, value: one };
  if (times.length === 0) {
    return isBelievedAt(one.proof, now, trust) ? { ok: true, value: one } : failed(refuseUntimed(now));
  }
  const outside = times.find((time) => !isBelievedAt(one.proof, time, trust));
  return outside === undefined ? { ok: true, value: one } : failed(refuseExpired(outside));
}

function checkCount(
  { proven, passedOver }: Tally<Proven>,
  { entries: expected, cosignatures, witnesses }: LogRequirement,
  before: Refusal | undefined,
): Refusal | undefined {
  const witnessed = proven.filter(({ entry }) => {
    const note = entry.inclusionProof?.checkpoint?.envelope;
    return cosignatures === 0 || (note !== undefined && countCosignatures(note, witnesses) >= cosignatures);
  });
  const logs = (of: readonly Proven[]): number => new Set(of.map(({ proof }) => proof.logId)).size;
  if (logs(witnessed) >= expected) return undefined;
  if (logs(proven) >= expected) {
    const sentence = `expected a checkpoint with cosignatures of ${cosignatures} witnesses in ${expected} logs, found ${logs(witnessed)}`;
    return refuse('LOG_UNWITNESSED', sentence);
  }
  const sentence = `expected entries in ${expected} transparency logs, found ${logs(proven)}`;
  return before ?? passedOver ?? refuse('LOG_ENTRY_MISSING', sentence);
}
