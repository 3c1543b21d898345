import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, it } from 'node:test';
import { EvidenceError } from '../../../activities/evidence-error.ts';
import { createManagedKeys } from '../../../activities/kms/checked/checked-keys.ts';
import type { KeyDescription, KeyManager, KeyReference } from '../../../activities/kms/managed-key.ts';
import { describeKey } from '../../../activities/sigstore/key/key.ts';

const REFERENCE: KeyReference = { provider: 'awskms', uri: 'awskms:///alias/release' };
const SECOND = 1_000;
const FRESH = { maxAgeMs: 10 * SECOND, staleMs: 0 };
const STALE = { maxAgeMs: 10 * SECOND, staleMs: 60 * SECOND };

const endless = () => new AbortController().signal;
/** As the signal of an attempt whose time ends. */
const soon = () => AbortSignal.timeout(10);

function codeOf(error: unknown): string {
  assert.ok(error instanceof EvidenceError, String(error));
  assert.equal(error.retryable, true);
  return error.code;
}

/** A service that answers until it hangs, then not even to a caller that leaves. */
function setUp() {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const described = describeKey(pair.publicKey);
  assert.ok(described.ok);
  const usable: KeyDescription = { resource: 'arn', state: { kind: 'usable' }, keys: [described.key] };
  const world = { now: 1_800_000_000_000, hangs: false };
  const answer = <T>(value: T, limit: AbortSignal): Promise<T> => {
    if (!world.hangs) return Promise.resolve(value);
    return new Promise((_, reject) => limit.addEventListener('abort', () => reject(limit.reason)));
  };
  const manager: KeyManager = {
    describe: (_reference, limit) => answer(usable, limit),
    verify: (_reference, _key, _signed, _signature, limit) => answer(true, limit),
    sign: () => Promise.reject(new Error('nobody signs')),
  };
  const keys = createManagedKeys({ managers: async () => manager, now: () => world.now });
  return { world, keys, sign: (message: Uint8Array) => sign('sha256', message, pair.privateKey) };
}

describe('a KMS that hangs for longer than its caller may wait', () => {
  it('did not answer in time', async () => {
    const { world, keys } = setUp();
    world.hangs = true;
    assert.equal(await keys.check(REFERENCE, FRESH, soon()).catch(codeOf), 'KMS_TIMEOUT');
  });

  it('leaves the last state in force as long as the policy allows', async () => {
    const { world, keys } = setUp();
    const last = await keys.check(REFERENCE, STALE, endless());
    world.hangs = true;
    world.now += 30 * SECOND;
    assert.equal(await keys.check(REFERENCE, FRESH, soon()).catch(codeOf), 'KMS_TIMEOUT');
    assert.equal(await keys.check(REFERENCE, STALE, soon()), last);
    world.now += 60 * SECOND;
    assert.equal(await keys.check(REFERENCE, STALE, soon()).catch(codeOf), 'KEY_STATE_STALE');
  });

  it('did not verify in time', async () => {
    const { world, keys, sign } = setUp();
    const checked = await keys.check(REFERENCE, FRESH, endless());
    world.hangs = true;
    const message = Buffer.from('message');
    const late = keys.verify(checked, message, sign(message), soon());
    assert.equal(await late.catch(codeOf), 'KMS_TIMEOUT');
  });

  it("is not to blame where the caller leaves: the caller's own reason", async () => {
    const { world, keys } = setUp();
    world.hangs = true;
    const controller = new AbortController();
    const asked = keys.check(REFERENCE, STALE, controller.signal);
    controller.abort(new Error('left'));
    await assert.rejects(asked, /^Error: left$/);
  });
});
