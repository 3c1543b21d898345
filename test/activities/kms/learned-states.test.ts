import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createManagedKeys } from '../../../activities/kms/checked/checked-keys.ts';
import type { KeyDescription, KeyManager, KeyReference } from '../../../activities/kms/managed-key.ts';
import { parsePublicKey, type VerificationKey } from '../../../activities/sigstore/key/key.ts';
import type { KeyStatement } from '../../../workflows/verdict/policy-head.ts';
import { createSigningKey } from '../../support/signer.ts';

const MINUTE = 60_000;
const REFERENCE: KeyReference = { provider: 'awskms', uri: 'awskms:///alias/release' };
const FRESH = { maxAgeMs: 5 * MINUTE, staleMs: 0 };
const signal = new AbortController().signal;

function makeKey(): VerificationKey {
  const parsed = parsePublicKey(createSigningKey('ECDSA P-256').publicPem);
  assert.ok(parsed.ok);
  return parsed.key;
}

function resourceOf({ keyId }: VerificationKey): string {
  return `arn of ${keyId}`;
}

/** Keys that are all usable, a count of the requests, and a clock that only moves when it is told to. */
function setUp(key: VerificationKey) {
  const world = { now: 1_800_000_000_000, calls: 0 };
  const description: KeyDescription = { resource: resourceOf(key), state: { kind: 'usable' }, keys: [key] };
  const manager: KeyManager = {
    async describe() {
      world.calls++;
      return description;
    },
    verify: () => assert.fail('nothing is verified here'),
    sign: () => assert.fail('nothing is signed here'),
  };
  return { world, keys: createManagedKeys({ managers: async () => manager, now: () => world.now }) };
}

describe('a state that another worker states', () => {
  const stated = (checkedAt: number, key: VerificationKey): KeyStatement => ({
    ...{ uri: REFERENCE.uri, resource: resourceOf(key), keyIds: [key.keyId] },
    checkedAt: new Date(checkedAt).toISOString(),
  });

  /** A state that is too old for a caller by a minute. */
  async function outdated() {
    const one = makeKey();
    const { world, keys } = setUp(one);
    await keys.check(REFERENCE, FRESH, signal);
    world.now += FRESH.maxAgeMs + MINUTE;
    return { world, keys, one };
  }

  it('spares a request when it is fresh enough', async () => {
    const { world, keys, one } = await outdated();
    keys.learn([stated(world.now - MINUTE, one)]);
    await keys.check(REFERENCE, FRESH, signal);
    assert.equal(world.calls, 1);
  });

  it('from the future does not count: the KMS is asked', async () => {
    const { world, keys, one } = await outdated();
    keys.learn([stated(world.now + 60 * MINUTE, one)]);
    await keys.check(REFERENCE, FRESH, signal);
    assert.equal(world.calls, 2);
  });

  it('that is older than what is known does not replace it', async () => {
    const { world, keys, one } = await outdated();
    await keys.check(REFERENCE, FRESH, signal);
    const off: KeyStatement = {
      ...stated(world.now - 2 * MINUTE, one),
      keyIds: [],
      unusable: { code: 'KEY_DISABLED', sentence: 'off' },
    };
    keys.learn([off]);
    assert.equal((await keys.check(REFERENCE, FRESH, signal)).description.state.kind, 'usable');
    assert.equal(world.calls, 2);
  });
});
