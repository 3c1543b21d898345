import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { EvidenceError } from '../../../../activities/evidence-error.ts';
import { createManagedKeys } from '../../../../activities/kms/checked/checked-keys.ts';
import type { KeyFreshness } from '../../../../activities/kms/checked/managed-keys.ts';
import type { KeyDescription, KeyManager, KeyReference } from '../../../../activities/kms/managed-key.ts';
import { MAX_MANAGED_KEYS, MAX_PREVIOUS_KEYS } from '../../../../activities/limits.ts';
import { describeKey, type VerificationKey } from '../../../../activities/sigstore/key/key.ts';
import type { ReasonCode } from '../../../../workflows/verdict/reason.ts';

const MINUTE = 60_000;
const REFERENCE: KeyReference = { provider: 'awskms', uri: 'awskms:///alias/release' };
const FRESH: KeyFreshness = { maxAgeMs: 5 * MINUTE, staleMs: 0 };
const signal = new AbortController().signal;

function makeKey(): { key: VerificationKey; sign(message: Uint8Array): Buffer } {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const described = describeKey(pair.publicKey);
  assert.ok(described.ok);
  return { key: described.key, sign: (message) => sign('sha256', message, pair.privateKey) };
}

function usable({ key }: { key: VerificationKey }, resource = `arn of ${key.keyId}`): KeyDescription {
  return { resource, state: { kind: 'usable' }, keys: [key] };
}

const DISABLED: KeyDescription = {
  resource: 'arn',
  state: { kind: 'unusable', code: 'KEY_DISABLED', sentence: 'the key is disabled' },
  keys: [],
};

function failure(code: ReasonCode): EvidenceError {
  return new EvidenceError(code, `a failure ${code}`, { retryable: true, retryAfterMs: 1500 });
}

/** Keys whose service answers what `answer` says, and a clock that only moves when it is told to. */
function setUp() {
  const world = {
    now: 1_800_000_000_000,
    answer: async (_reference: KeyReference, _signal: AbortSignal): Promise<KeyDescription> => DISABLED,
    calls: 0,
    loads: 0,
    verified: 0,
  };
  const manager: KeyManager = {
    describe(reference, aborted) {
      world.calls++;
      return world.answer(reference, aborted);
    },
    async verify() {
      world.verified++;
      return true;
    },
    sign: () => Promise.reject(new Error('nobody signs')),
  };
  const managers = async () => {
    world.loads++;
    return manager;
  };
  return { world, keys: createManagedKeys({ managers, now: () => world.now }) };
}

const codeOf = (error: unknown) => (error instanceof EvidenceError ? error.code : String(error));

describe('the state of a key', () => {
  it('is asked for once while it is fresh, and again when it is not', async () => {
    const { world, keys } = setUp();
    const one = makeKey();
    world.answer = async () => usable(one);
    const first = await keys.check(REFERENCE, FRESH, signal);
    assert.deepEqual([first.checkedAt, first.before, first.description.keys], [world.now, [], [one.key]]);
    world.now += 5 * MINUTE;
    assert.equal(await keys.check(REFERENCE, FRESH, signal), first);
    world.now += 1;
    assert.equal((await keys.check(REFERENCE, FRESH, signal)).checkedAt, world.now);
    assert.deepEqual([world.calls, world.loads], [2, 1]);
  });

  it('is as fresh as each caller asks', async () => {
    const { world, keys } = setUp();
    await keys.check(REFERENCE, FRESH, signal);
    world.now += MINUTE;
    await keys.check(REFERENCE, FRESH, signal);
    assert.equal(world.calls, 1);
    await keys.check(REFERENCE, { maxAgeMs: MINUTE - 1, staleMs: 0 }, signal);
    assert.equal(world.calls, 2);
  });

  it('is asked for again after the clock was set back, by however much, for as long as it takes', async () => {
    const { world, keys } = setUp();
    await keys.check(REFERENCE, { maxAgeMs: 20, staleMs: 0 }, signal);
    world.now -= 3_600_000;
    await new Promise((done) => setTimeout(done, 30)); // by the clock that nobody sets it is old now
    await keys.check(REFERENCE, { maxAgeMs: 20, staleMs: 0 }, signal);
    assert.equal(world.calls, 2);
  });

  it('is asked for once for all who ask at the same time', async () => {
    const { world, keys } = setUp();
    const answer = Promise.withResolvers<KeyDescription>();
    world.answer = () => answer.promise;
    const all = Array.from({ length: 50 }, () => keys.check(REFERENCE, FRESH, signal));
    await setImmediate();
    answer.resolve(DISABLED);
    assert.equal(new Set(await Promise.all(all)).size, 1);
    assert.equal(world.calls, 1);
  });

  it('is not that of a question asked before what the caller allows', async () => {
    const { world, keys } = setUp();
    const slow = Promise.withResolvers<KeyDescription>();
    world.answer = () => slow.promise;
    const early = keys.check(REFERENCE, FRESH, signal);
    await setImmediate();
    world.now += 10_000;
    world.answer = async () => DISABLED;
    const late = await keys.check(REFERENCE, { maxAgeMs: 5_000, staleMs: 0 }, signal);
    slow.resolve(usable(makeKey()));
    await early;
    assert.equal(world.calls, 2);
    // What was asked later stays what is known.
    assert.equal(await keys.check(REFERENCE, FRESH, signal), late);
  });

  it('is not lost for others when one of them leaves, and not asked for when all leave', async () => {
    const { world, keys } = setUp();
    const answer = Promise.withResolvers<KeyDescription>();
    const signals: AbortSignal[] = [];
    world.answer = (_reference, aborted) => {
      signals.push(aborted);
      return answer.promise;
    };
    const [one, other] = [new AbortController(), new AbortController()];
    const left = keys.check(REFERENCE, FRESH, one.signal);
    const stayed = keys.check(REFERENCE, FRESH, other.signal);
    await setImmediate();
    one.abort(new Error('left'));
    await assert.rejects(left, /left/);
    assert.equal(signals[0]?.aborted, false);
    other.abort(new Error('left too'));
    await assert.rejects(stayed, /left too/);
    assert.equal(signals[0]?.aborted, true);
    world.answer = async () => DISABLED;
    assert.equal((await keys.check(REFERENCE, FRESH, signal)).description, DISABLED);
  });

  it('of many keys is forgotten, the one that nobody asked for longest first', async () => {
    const { world, keys } = setUp();
    const ask = (at: number) => keys.check({ ...REFERENCE, uri: `awskms:///alias/${at}` }, FRESH, signal);
    for (let at = 0; at < MAX_MANAGED_KEYS; at++) await ask(at);
    await ask(0);
    await ask(MAX_MANAGED_KEYS);
    assert.equal(world.calls, MAX_MANAGED_KEYS + 1);
    await ask(0);
    assert.equal(world.calls, MAX_MANAGED_KEYS + 1);
    await ask(1);
    assert.equal(world.calls, MAX_MANAGED_KEYS + 2);
  });
});

describe('a service that cannot be asked', () => {
  const STALE: KeyFreshness = { maxAgeMs: 5 * MINUTE, staleMs: 60 * MINUTE };

  for (const code of [
    'KMS_UNREACHABLE',
    'KMS_TIMEOUT',
    'KMS_THROTTLED',
    'KMS_CREDENTIALS',
    'KMS_ERROR',
    'KMS_MISBEHAVED',
  ] as const) {
    it(`(${code}) leaves the last state in force as long as the policy allows, and then says that it is too old`, async () => {
      const { world, keys } = setUp();
      world.answer = async () => usable(makeKey());
      const first = await keys.check(REFERENCE, STALE, signal);
      world.answer = () => Promise.reject(failure(code));
      world.now += 60 * MINUTE;
      assert.equal(await keys.check(REFERENCE, STALE, signal), first);
      world.now += 1000;
      const error = await keys.check(REFERENCE, STALE, signal).catch((reason: unknown) => reason);
      assert.ok(error instanceof EvidenceError);
      assert.deepEqual([error.code, error.retryable, error.retryAfterMs], ['KEY_STATE_STALE', true, 1500]);
      assert.match(error.message, /as it was 3601 s ago, expected at most 3600 s: a failure KMS_/);
    });
  }

  it('is what is told where a policy allows no older state, and where there is none', async () => {
    const { world, keys } = setUp();
    world.answer = () => Promise.reject(failure('KMS_TIMEOUT'));
    assert.equal(await keys.check(REFERENCE, STALE, signal).catch(codeOf), 'KMS_TIMEOUT');
    world.now += MINUTE;
    world.answer = async () => usable(makeKey());
    await keys.check(REFERENCE, STALE, signal);
    world.now += 6 * MINUTE;
    world.answer = () => Promise.reject(failure('KMS_TIMEOUT'));
    assert.equal(await keys.check(REFERENCE, FRESH, signal).catch(codeOf), 'KMS_TIMEOUT');
  });

  it('is asked at most four times in a second, however many ask', async () => {
    const { world, keys } = setUp();
    world.answer = () => Promise.reject(failure('KMS_THROTTLED'));
    for (let caller = 0; caller < 100; caller++) {
      assert.equal(await keys.check(REFERENCE, FRESH, signal).catch(codeOf), 'KMS_THROTTLED');
    }
    assert.equal(world.calls, 1);
    world.now += 250;
    await keys.check(REFERENCE, FRESH, signal).catch(codeOf);
    assert.equal(world.calls, 2);
  });

  for (const code of ['KMS_ACCESS_DENIED', 'KEY_UNAVAILABLE'] as const) {
    it(`is not one that answers ${code}: no older state stands in for an answer`, async () => {
      const { world, keys } = setUp();
      world.answer = async () => usable(makeKey());
      await keys.check(REFERENCE, STALE, signal);
      world.now += 6 * MINUTE;
      world.answer = () => Promise.reject(failure(code));
      assert.equal(await keys.check(REFERENCE, STALE, signal).catch(codeOf), code);
    });
  }

  it('does not bring back a key that was usable before it was disabled, nor deny by a state that may have ended', async () => {
    const { world, keys } = setUp();
    world.answer = async () => usable(makeKey());
    await keys.check(REFERENCE, STALE, signal);
    world.now += 6 * MINUTE;
    world.answer = async () => DISABLED;
    assert.equal((await keys.check(REFERENCE, STALE, signal)).description, DISABLED);
    world.now += 6 * MINUTE;
    world.answer = () => Promise.reject(failure('KMS_UNREACHABLE'));
    assert.equal(await keys.check(REFERENCE, STALE, signal).catch(codeOf), 'KMS_UNREACHABLE');
  });

  it('is asked again when its client could not be loaded', async () => {
    let loads = 0;
    const keys = createManagedKeys({ managers: () => Promise.reject(new Error(`load ${++loads}`)) });
    await assert.rejects(keys.check(REFERENCE, FRESH, signal), /load 1/);
    await assert.rejects(keys.check(REFERENCE, FRESH, signal), /load 2/);
  });
});

describe('an alias that means another key now', () => {
  const NOW: KeyFreshness = { maxAgeMs: 0, staleMs: 0 };

  it('is told with the keys that it meant, newest first, also after it meant one that is not usable', async () => {
    const { world, keys } = setUp();
    const [a, b, c] = [makeKey(), makeKey(), makeKey()];
    const seen: unknown[] = [];
    for (const [at, description] of [usable(a), usable(a), usable(b), DISABLED, usable(c), usable(a)].entries()) {
      world.now = 1_800_000_000_000 + at * MINUTE;
      world.answer = async () => description;
      const { before } = await keys.check(REFERENCE, NOW, signal);
      seen.push(before.map(({ keyId, seenAt }) => [keyId, (seenAt - 1_800_000_000_000) / MINUTE]));
    }
    const [idA, idB, idC] = [a.key.keyId, b.key.keyId, c.key.keyId];
    assert.deepEqual(seen[0], []);
    assert.deepEqual(seen[1], []);
    assert.deepEqual(seen[2], [[idA, 1]]);
    assert.deepEqual(seen[4], [
      [idB, 2],
      [idA, 1],
    ]);
    assert.deepEqual(seen[5], [
      [idC, 4],
      [idB, 2],
    ]);
  });

  it('that moves again and again is remembered only so far', async () => {
    const { world, keys } = setUp();
    for (let move = 0; move < MAX_PREVIOUS_KEYS + 3; move++) {
      const key = makeKey();
      world.now += 1000;
      world.answer = async () => usable(key);
      await keys.check(REFERENCE, NOW, signal);
    }
    world.now += 1000;
    assert.equal((await keys.check(REFERENCE, NOW, signal)).before.length, MAX_PREVIOUS_KEYS);
  });
});

describe('verifying in the service', () => {
  it('is asked for only with a signature that holds here', async () => {
    const { world, keys } = setUp();
    const [one, other] = [makeKey(), makeKey()];
    world.answer = async () => usable(one);
    const checked = await keys.check(REFERENCE, FRESH, signal);
    const message = Buffer.from('message');
    assert.equal(await keys.verify(checked, message, other.sign(message), signal), false);
    assert.equal(await keys.verify(checked, message, Buffer.alloc(0), signal), false);
    assert.equal(world.verified, 0);
    assert.equal(await keys.verify(checked, message, one.sign(message), signal), true);
    assert.equal(world.verified, 1);
  });
});
