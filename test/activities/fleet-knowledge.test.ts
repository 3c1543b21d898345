import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { describePolicy } from '../../activities/describe-policy.ts';
import { learn } from '../../activities/fleet-knowledge.ts';
import { createManagedKeys } from '../../activities/kms/checked/checked-keys.ts';
import type { KeyDescription, KeyManager } from '../../activities/kms/managed-key.ts';
import type { ManagedSigner, PolicyLoad } from '../../activities/policy/policy-set.ts';
import { createRegistry } from '../../activities/registry/registry.ts';
import { createLiveLogs } from '../../activities/rekor/live-logs.ts';
import { createRecentPlaces } from '../../activities/revocation/recent-places.ts';
import { openRevocationBook } from '../../activities/revocation/revocation-book.ts';
import { describeKey } from '../../activities/sigstore/key/key.ts';
import { createVerdictKey, loadVerdictKey } from '../../activities/verdict-key/verdict-key.ts';
import { POLICY_HEAD_PAYLOAD_TYPE, type PolicyHead, parsePolicyHead } from '../../workflows/verdict/policy-head.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { TEST_FLEET } from '../support/verdicts.ts';

const URI = 'awskms:///alias/release';
const MINUTE = 60_000;
const reference = { provider: 'awskms', uri: URI } as const;
const freshness = { maxAgeMs: 5 * MINUTE, staleMs: 0 };
const signer: ManagedSigner = { kind: 'kms', reference, hashAlgorithm: undefined, freshness, verification: 'local' };
const signal = new AbortController().signal;

function verificationKey() {
  const described = describeKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey, undefined);
  assert.ok(described.ok);
  return described.key;
}

/** A KMS that says what it is told to say, and counts how often it is asked. */
function createService() {
  const service = {
    asked: 0,
    answer: { resource: 'arn:release', state: { kind: 'usable' }, keys: [verificationKey()] } as KeyDescription,
  };
  const manager: KeyManager = {
    describe: async () => {
      service.asked++;
      return service.answer;
    },
    verify: () => assert.fail('asked to verify'),
    sign: () => assert.fail('asked to sign'),
  };
  return { service, manager };
}

/** Two workers of one fleet: the same policy and verdict key, clocks of their own that the test sets. */
async function fleet(t: TestContext) {
  const folder = await temporaryFolder();
  t.after(() => folder[Symbol.asyncDispose]());
  const files = [join(folder.path, 'verdict.key'), join(folder.path, 'verdict.pub')] as const;
  await createVerdictKey(...files);
  const verdictKey = await loadVerdictKey(files[0]);
  const { service, manager } = createService();
  const rule = { log: undefined, timestamps: undefined, observers: 0, attestations: [], sources: [] } as const;
  const authority = {
    name: 'release',
    signer,
    ...rule,
    formats: [],
    coversIndexChildren: false,
    newestAttestation: false,
    signedAs: [],
    signedReference: 'repository' as const,
  };
  const policies = [
    { name: 'demo', file: 'demo.yaml', images: [], mode: 'enforce', authorities: [authority] },
  ] as const;
  const set = {
    contentHash: 'c'.repeat(64),
    policies,
    offlineUses: [],
    revocations: [],
    revokedNames: [],
    trustRoots: [],
    pullSecrets: new Map(),
  };
  const load: PolicyLoad = { ok: true, set };
  const clock = { now: Date.now() };
  const worker = () => ({
    policy: { current: () => load },
    trust: { find: () => assert.fail('no trust root'), revision: () => '' },
    keys: createManagedKeys({ managers: async () => manager, now: () => clock.now }),
    logs: createLiveLogs(),
    fleet: TEST_FLEET,
    revocations: openRevocationBook({ current: () => load }, undefined),
    ...{ absences: new Map(), places: createRecentPlaces() },
    registry: createRegistry({}),
    registryWith: () => createRegistry({}),
    verdictKey,
  });
  return { clock, service, first: worker(), second: worker(), describe: describePolicy };
}

function headOf(payload: string): PolicyHead {
  const head = parsePolicyHead(JSON.parse(Buffer.from(payload, 'base64').toString('utf8')));
  assert.ok(head !== undefined);
  return head;
}

describe('what workers tell each other about keys in a KMS', () => {
  it('is their state, and nothing of the key itself', async (t) => {
    const { first, describe } = await fleet(t);
    await first.keys.check(reference, freshness, signal);
    const statement = await describe(first);
    const { keys = [] } = headOf(statement.payload);
    assert.deepEqual(
      keys.map(({ uri, resource }) => ({ uri, resource })),
      [{ uri: URI, resource: 'arn:release' }],
    );
    const text = Buffer.from(statement.payload, 'base64').toString('utf8');
    assert.doesNotMatch(text, /PUBLIC KEY|MFkw/);
  });

  it('counts in their own fleet alone, whatever key signed it', async (t) => {
    const { clock, service, first, second, describe } = await fleet(t);
    await first.keys.check(reference, freshness, signal);
    await second.keys.check(reference, freshness, signal);
    clock.now += 5 * MINUTE + 1;
    await first.keys.check(reference, freshness, signal);
    learn(second, await describe({ ...first, fleet: 'staging' }));
    await second.keys.check(reference, freshness, signal);
    assert.equal(service.asked, 4, 'the second one asks for itself');
  });

  it('spares the others from asking', async (t) => {
    const { clock, service, first, second, describe } = await fleet(t);
    await first.keys.check(reference, freshness, signal);
    await second.keys.check(reference, freshness, signal);
    assert.equal(service.asked, 2, 'each fetches the public key once');
    for (let window = 1; window <= 5; window++) {
      clock.now += 5 * MINUTE + 1;
      await first.keys.check(reference, freshness, signal);
      learn(second, await describe(first));
      const { checkedAt } = await second.keys.check(reference, freshness, signal);
      assert.equal(service.asked, 2 + window, 'once for the fleet');
      assert.ok(clock.now - checkedAt >= 0 && clock.now - checkedAt < 10_000);
    }
  });

  it('is believed when it says that a key is no use', async (t) => {
    const { clock, service, first, second, describe } = await fleet(t);
    await first.keys.check(reference, freshness, signal);
    await second.keys.check(reference, freshness, signal);
    clock.now += 4 * MINUTE;
    const unusable = { kind: 'unusable', code: 'KEY_DISABLED', sentence: 'its owner disabled it' } as const;
    service.answer = { resource: 'arn:release', state: unusable, keys: [] };
    await first.keys.check(reference, { ...freshness, maxAgeMs: MINUTE }, signal);
    learn(second, await describe(first));
    const { description } = await second.keys.check(reference, freshness, signal);
    assert.deepEqual(description.state, unusable);
  });

  for (const [what, ages] of [
    ['is old, whatever end is written in it', { stated: -10 * MINUTE, expires: 70 * 365 * 24 * 60 * MINUTE }],
    ['has ended', { stated: -10_000, expires: -9_000 }],
    ['is from the future', { stated: MINUTE, expires: 2 * MINUTE }],
  ] as const) {
    it(`does not make a key good when the statement ${what}, and can make it unusable`, async (t) => {
      const { clock, service, first, second } = await fleet(t);
      await second.keys.check(reference, freshness, signal);
      clock.now += 4 * MINUTE;
      const [known] = second.keys.statements();
      assert.ok(known !== undefined);
      const at = (ms: number) => new Date(Date.now() + ms).toISOString();
      const state = async (key: object) => {
        const times = { statedAt: at(ages.stated), expiresAt: at(ages.expires) };
        const head = { fleet: TEST_FLEET, policyRevision: 'c'.repeat(64), ...times };
        const keys = [{ ...known, checkedAt: new Date(clock.now - 10_000).toISOString(), ...key }];
        const bytes = new TextEncoder().encode(JSON.stringify({ ...head, keys }));
        learn(second, await first.verdictKey.sign(POLICY_HEAD_PAYLOAD_TYPE, bytes));
      };
      await state({});
      assert.deepEqual(second.keys.statements(), [known]);
      const unusable = { code: 'KEY_DISABLED', sentence: 'its owner disabled it' };
      await state({ keyIds: [], unusable });
      const { description } = await second.keys.check(reference, freshness, signal);
      assert.deepEqual([description.state, service.asked], [{ kind: 'unusable', ...unusable }, 1]);
    });
  }

  it('is kept fresh by whoever states the policy, whether or not anybody pulls', async (t) => {
    const { clock, service, first, describe } = await fleet(t);
    await describe(first);
    await new Promise(setImmediate);
    assert.equal(service.asked, 1);
    clock.now += 4 * MINUTE;
    await describe(first);
    await new Promise(setImmediate);
    assert.equal(service.asked, 2);
    await describe(first);
    assert.equal(service.asked, 2);
  });

  it('teaches nothing when it is old, unsigned, about another key, or from the future', async (t) => {
    const { clock, service, first, second, describe } = await fleet(t);
    await first.keys.check(reference, freshness, signal);
    await second.keys.check(reference, freshness, signal);
    const old = await describe(first);
    clock.now += 5 * MINUTE + 1;
    learn(second, old);
    await second.keys.check(reference, freshness, signal);
    assert.equal(service.asked, 3, 'an old state is not a fresh one');

    clock.now += 5 * MINUTE + 1;
    await first.keys.check(reference, freshness, signal);
    const good = await describe(first);
    const [signature] = good.signatures;
    assert.ok(signature !== undefined);
    const bent = { ...headOf(good.payload), policyRevision: 'd'.repeat(64) };
    const payload = Buffer.from(JSON.stringify(bent)).toString('base64');
    for (const forged of [
      { ...good, payload },
      { ...good, signatures: [] },
      { ...good, signatures: [{ ...signature, sig: 'AAAA' }] },
      { ...good, payloadType: 'application/vnd.in-toto+json' },
    ]) {
      learn(second, forged);
    }
    await second.keys.check(reference, freshness, signal);
    assert.equal(service.asked, 5, 'nothing was learned from what is not signed');

    clock.now += 5 * MINUTE + 1;
    service.answer = { ...service.answer, keys: [verificationKey()] };
    await first.keys.check(reference, freshness, signal);
    learn(second, await describe(first));
    const changed = await second.keys.check(reference, freshness, signal);
    assert.equal(service.asked, 7, 'the public half of another key is not here');
    assert.deepEqual(changed.description.keys, service.answer.keys);

    const before = await second.keys.check(reference, freshness, signal);
    clock.now += MINUTE;
    await first.keys.check(reference, { ...freshness, maxAgeMs: 1_000 }, signal);
    const future = await describe(first);
    clock.now -= MINUTE;
    learn(second, future);
    assert.equal((await second.keys.check(reference, freshness, signal)).checkedAt, before.checkedAt);
  });
});

describe('a policy head', () => {
  it('with keys that are no statements of keys is none', () => {
    const key = { uri: URI, resource: 'arn:x', checkedAt: '2026-11-25T00:00:00.000Z', keyIds: ['ab'.repeat(32)] };
    const head = (keys: unknown) => ({
      policyRevision: 'c'.repeat(64),
      statedAt: '2026-11-25T00:00:00.000Z',
      expiresAt: '2026-11-25T00:01:00.000Z',
      keys,
    });
    assert.deepEqual(parsePolicyHead(head([key]))?.keys, [key]);
    const unusable = { code: 'KEY_DISABLED', sentence: 'disabled' };
    assert.deepEqual(parsePolicyHead(head([{ ...key, keyIds: [], unusable }]))?.keys, [
      { ...key, keyIds: [], unusable },
    ]);
    for (const bad of [
      ...[null, 7, 'x', {}, [null], [7], [[]], Array(101).fill(key)],
      ...[
        { uri: 7 },
        { resource: 'x'.repeat(2_001) },
        { checkedAt: 'yesterday' },
        { keyIds: ['ab'] },
        { keyIds: 'ab' },
      ].map((bent) => [{ ...key, ...bent }]),
      ...[[{ ...key, keyIds: [] }], [{ ...key, unusable }], [{ ...key, keyIds: [], unusable: { code: 'BECAUSE' } }]],
    ]) {
      assert.equal(parsePolicyHead(head(bad)), undefined, JSON.stringify(bad)?.slice(0, 100));
    }
  });

  it('with logs that are no statements of logs is none', () => {
    const log = { log: 'ab'.repeat(32), checkpoint: 'rekor.example\n3\nAAAA\n\n\u2014 rekor.example AAAA\n' };
    const head = (logs: unknown) => ({
      policyRevision: 'c'.repeat(64),
      statedAt: '2026-11-25T00:00:00.000Z',
      expiresAt: '2026-11-25T00:01:00.000Z',
      logs,
    });
    assert.deepEqual(parsePolicyHead(head([log]))?.logs, [log]);
    for (const bad of [
      ...[null, 7, {}, [null], [7], Array(33).fill(log)],
      ...[{ log: 'ab' }, { log: 7 }, { checkpoint: 7 }, { checkpoint: 'x'.repeat(4_097) }].map((bent) => [
        { ...log, ...bent },
      ]),
    ]) {
      assert.equal(parsePolicyHead(head(bad)), undefined, JSON.stringify(bad)?.slice(0, 100));
    }
  });
});
