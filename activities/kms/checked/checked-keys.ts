import { EvidenceError } from '../../evidence-error.ts';
import { MAX_MANAGED_KEYS, MAX_PREVIOUS_KEYS } from '../../limits.ts';
import { holds } from '../../sigstore/evidence/raw-signature.ts';
import type { KeyManager, KeyProvider, KeyReference } from '../managed-key.ts';
import { createFlight, type Flight } from './flight.ts';
import type { CheckedKey, KeyFreshness, ManagedKeys, PreviousKey } from './managed-keys.ts';
import { ageOf, describedBy, toStatement } from './shared-state.ts';
import { type Stopwatch, startStopwatch } from './stopwatch.ts';

export interface ManagedKeysOptions {
  /** The service of a provider, loaded when the first policy uses it. */
  readonly managers: (provider: KeyProvider) => Promise<KeyManager>;
  /** The clock by which people are told when a key was checked, in ms. Ages are not measured by it alone. */
  readonly now?: () => number;
}

/** What is known of one reference. */
interface Known {
  readonly checked: CheckedKey;
  /** Runs since the question was asked: the answer was true then, and is not younger. */
  readonly age: Stopwatch;
}

/** All that is remembered of one reference. */
interface Entry {
  known?: Known;
  flight?: Flight<Known>;
  /** An inability that is still fresh, so that a service that is in trouble is not asked once for every caller. */
  failed?: { readonly error: EvidenceError; readonly age: Stopwatch };
}

/** The state in which a service could not be asked. That it does not let us look is its answer, and not among them. */
const INABILITIES: ReadonlySet<string> = new Set([
  ...['KMS_UNREACHABLE', 'KMS_TIMEOUT', 'KMS_THROTTLED', 'KMS_CREDENTIALS', 'KMS_ERROR', 'KMS_MISBEHAVED'],
]);

/** How long a failure answers all callers, in ms: four questions in a second are enough, whoever waits. */
const PAUSE_MS = 250;

/** The keys of one worker, each known as freshly as its callers ask. Nothing of it outlives the worker. */
export function createManagedKeys({ managers, now = Date.now }: ManagedKeysOptions): ManagedKeys {
  /** In the order in which they were last asked for: the first is forgotten first. */
  const entries = new Map<string, Entry>();
  const loaded = new Map<KeyProvider, Promise<KeyManager>>();

  const managerOf = (provider: KeyProvider): Promise<KeyManager> => {
    const manager = loaded.get(provider) ?? managers(provider);
    loaded.set(provider, manager);
    manager.catch(() => loaded.delete(provider));
    return manager;
  };

  const entryOf = ({ uri }: KeyReference): Entry => {
    const entry = entries.get(uri) ?? {};
    entries.delete(uri);
    const [oldest] = entries.keys();
    if (entries.size >= MAX_MANAGED_KEYS && oldest !== undefined) entries.delete(oldest);
    entries.set(uri, entry);
    return entry;
  };

  const ask = async (reference: KeyReference, entry: Entry, signal: AbortSignal): Promise<Known> => {
    const age = startStopwatch(now);
    try {
      const description = await (await managerOf(reference.provider)).describe(reference, signal);
      const checkedAt = age.startedAt;
      const known = { checked: { reference, description, checkedAt, before: before(entry.known, description) }, age };
      // An answer that took longer than that of a later question is the older one.
      if (entry.known === undefined || entry.known.age.ms() > age.ms()) entry.known = known;
      delete entry.failed;
      return known;
    } catch (error) {
      if (isInability(error)) entry.failed = { error, age: startStopwatch(now) };
      throw error;
    }
  };

  /** Joins the question that is under way, if its answer will be fresh enough for this caller too. */
  const shared = (reference: KeyReference, entry: Entry, maxAgeMs: number, signal: AbortSignal): Promise<Known> => {
    if (entry.flight === undefined || !entry.flight.joinable(maxAgeMs)) {
      entry.flight = createFlight((flying) => ask(reference, entry, flying), now);
    }
    return entry.flight.join(signal);
  };

  return {
    async check(reference, { maxAgeMs, staleMs }, signal) {
      if (signal.aborted) throw whyLeft(reference, signal);
      const entry = entryOf(reference);
      if (entry.known !== undefined && entry.known.age.ms() <= maxAgeMs) return entry.known.checked;
      try {
        if (entry.failed !== undefined && entry.failed.age.ms() < PAUSE_MS) throw entry.failed.error;
        return (await shared(reference, entry, maxAgeMs, signal)).checked;
      } catch (error) {
        // A caller can wait for less than a call may take: that the service hangs must not come to another answer for that.
        const why = signal.aborted ? whyLeft(reference, signal) : error;
        if (!isInability(why)) throw why;
        return lastKnown(entry.known, { maxAgeMs, staleMs }, why);
      }
    },

    statements() {
      return [...entries.values()].flatMap(({ known }) => (known === undefined ? [] : [toStatement(known.checked)]));
    },

    learn(statements) {
      for (const statement of statements) {
        const entry = entries.get(statement.uri);
        const age = ageOf(statement, now());
        if (entry?.known === undefined || age === undefined || age >= entry.known.age.ms()) continue;
        const { checked } = entry.known;
        const description = describedBy(statement, checked.description);
        if (description === undefined) continue;
        const told = startStopwatch(now, undefined, age);
        const { reference } = checked;
        const known = { reference, description, checkedAt: told.startedAt, before: before(entry.known, description) };
        entry.known = { checked: known, age: told };
      }
    },

    async verify({ reference, description }, signed, signature, signal) {
      const key = description.keys.find((one) => holds(signature, signed, one));
      if (key === undefined) return false;
      const manager = await managerOf(reference.provider);
      return await manager.verify(reference, key, signed, signature, signal).catch((error) => {
        throw signal.aborted ? whyLeft(reference, signal) : error;
      });
    },
  };
}

/** A caller that had no more time tells it as of a service that did not answer; one that left has its own reason. */
function whyLeft({ uri }: KeyReference, { reason }: AbortSignal): unknown {
  if (!(reason instanceof DOMException) || reason.name !== 'TimeoutError') return reason;
  const sentence = `the KMS of ${uri} did not answer in time; check network and proxy if this stays`;
  return new EvidenceError('KMS_TIMEOUT', sentence, { retryable: true });
}

function isInability(error: unknown): error is EvidenceError {
  return error instanceof EvidenceError && INABILITIES.has(error.code);
}

/** Only a state that let the key be used is worth something when it is old: the others may have ended. */
function lastKnown(known: Known | undefined, { staleMs }: KeyFreshness, why: EvidenceError): CheckedKey {
  if (known === undefined || staleMs <= 0 || known.checked.description.state.kind !== 'usable') throw why;
  const age = known.age.ms();
  if (age <= staleMs) return known.checked;
  const { reference } = known.checked;
  throw new EvidenceError(
    'KEY_STATE_STALE',
    `the state of ${reference.uri} is known as it was ${seconds(age)} ago, expected at most ${seconds(staleMs)}: ${why.message}`,
    { retryable: why.retryable, ...(why.retryAfterMs !== undefined && { retryAfterMs: why.retryAfterMs }) },
  );
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}

/** The keys that a reference no longer means. What is not usable has no keys, and changes nothing. */
function before(last: Known | undefined, { keys, state }: CheckedKey['description']): readonly PreviousKey[] {
  if (last === undefined) return [];
  const { description, checkedAt, before: earlier } = last.checked;
  const former = description.keys.map(({ keyId }) => ({ keyId, resource: description.resource, seenAt: checkedAt }));
  const current = new Set(keys.map(({ keyId }) => keyId));
  if (state.kind === 'unusable') return [...former, ...earlier].slice(0, MAX_PREVIOUS_KEYS);
  const all = [...former, ...earlier.filter(({ keyId }) => !former.some((one) => one.keyId === keyId))];
  return all.filter(({ keyId }) => !current.has(keyId)).slice(0, MAX_PREVIOUS_KEYS);
}
