import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { type PolicyWatch, type WatchOptions, watchPolicy } from '../../shim/backend/policy-watch.ts';
import type { SignerRevocations } from '../../shim/memory/signed-revocations.ts';
import type { Revocations } from '../../workflows/revocations.ts';
import { POLICY_HEAD_PAYLOAD_TYPE, type PolicyHead } from '../../workflows/verdict/policy-head.ts';
import type { Envelope } from '../../workflows/verdict/verdict.ts';
import { createTestBackend } from '../support/backend.ts';
import { aStatement, fromNow } from '../support/offline.ts';
import { createTestVerdictKey, digestOf, TEST_FLEET } from '../support/verdicts.ts';

const key = createTestVerdictKey();
const [A, B] = [digestOf('0a'), digestOf('0b')];

const live = (changes: Partial<PolicyHead> = {}) =>
  aStatement(key, { statedAt: fromNow(-100), expiresAt: fromNow(60_000), ...changes });

/** A node that has heard these statements, the first one by Temporal and the others by file. */
async function heard(
  t: TestContext,
  statements: readonly Envelope[],
  options: Partial<WatchOptions> = {},
): Promise<PolicyWatch> {
  const [first, ...carried] = statements;
  const policy = watchPolicy(
    createTestBackend(first === undefined ? {} : { policyHead: async () => first }),
    () => key.accepted(),
    () => {},
    { fleet: TEST_FLEET, ...options },
  );
  t.after(() => policy.stop());
  await policy.current(Date.now() + 400);
  for (const statement of carried) policy.learn(statement);
  return policy;
}

const revokedBy = (policy: PolicyWatch) => [...policy.revoked().keys()];

describe('a statement for another fleet', () => {
  for (const [what, fleet, sentence] of [
    ['is refused with both names', 'staging', /for fleet "staging", and this node belongs to fleet "test-fleet"/],
    [
      'is refused when it names none',
      undefined,
      /names no fleet, and this node belongs to fleet "test-fleet"; upgrade/,
    ],
  ] as const) {
    it(what, async (t) => {
      const policy = await heard(t, [live({ fleet, revocations: [{ name: 'bad', revision: 9, digests: [A] }] })]);
      const known = await policy.current(Date.now() + 300);
      assert.deepEqual(
        [known.ok, known.ok || known.reason.code, policy.newest()],
        [false, 'POLICY_UNKNOWN', undefined],
      );
      assert.match(known.ok ? '' : known.reason.sentence, sentence);
      assert.deepEqual(revokedBy(policy), []);
      assert.match(policy.learn(live({ fleet }))?.sentence ?? '', sentence);
    });
  }
});

describe('a revocation', () => {
  const list = (revision: number, ...digests: readonly (typeof A)[]) => ({
    revocations: [{ name: 'bad', revision, digests }],
  });

  for (const [what, next] of [
    ['states nothing about revocations', {}],
    ['states that it knows of none', { revocations: [] }],
    ['knows another list', { revocations: [{ name: 'other', revision: 9, digests: [] }] }],
    ['has an older revision of the list', list(0)],
    ['has the same revision without the digest', list(1)],
  ] as const) {
    it(`stays when a newer worker ${what}`, async (t) => {
      const policy = await heard(t, [live(list(1, A)), live({ ...next, statedAt: fromNow(-50) })]);
      assert.deepEqual(revokedBy(policy), [A]);
    });
  }

  it('ends by a higher revision of its list, whatever older statement comes after it', async (t) => {
    const end = live({ ...list(2), statedAt: fromNow(-50) });
    const policy = await heard(t, [live(list(1, A)), end, live(list(1, A)), live(list(1, A, B))]);
    assert.deepEqual(revokedBy(policy), []);
  });

  it('counts although a newer statement was heard before, and although its own has ended', async (t) => {
    const old = aStatement(key, list(1, A));
    assert.deepEqual(revokedBy(await heard(t, [live(), old])), [A]);
    assert.deepEqual(revokedBy(await heard(t, [old])), [A]);
  });

  it('is known from before a restart, and each change is reported once', async (t) => {
    const reported: Revocations[] = [];
    const options = {
      revocations: [{ keyId: key.keyId, ...list(1, A) }],
      onRevocations: (all: readonly SignerRevocations[]) => void reported.push(...all.map((one) => one.revocations)),
    };
    const policy = await heard(t, [live(list(1, B)), live(list(1, B)), live()], options);
    assert.deepEqual(revokedBy(policy), [A, B]);
    assert.deepEqual(reported, [list(1, A, B).revocations]);
  });

  it('of a statement that is remembered from a version without fleets and lists stays', async (t) => {
    const { policyRevision } = { policyRevision: 'c'.repeat(64) };
    const content = { policyRevision, statedAt: fromNow(-300_000), expiresAt: fromNow(-240_000), revoked: [A] };
    const remembered = key.envelope(POLICY_HEAD_PAYLOAD_TYPE, content);
    const policy = await heard(t, [], { remembered });
    assert.deepEqual([revokedBy(policy), policy.newest()], [[A], undefined]);
    const stranger = createTestVerdictKey().envelope(POLICY_HEAD_PAYLOAD_TYPE, content);
    assert.deepEqual(revokedBy(await heard(t, [], { remembered: stranger })), []);
    const foreign = aStatement(key, { fleet: 'staging', ...list(1, A) });
    assert.deepEqual(revokedBy(await heard(t, [], { remembered: foreign })), []);
  });

  it('comes back when the key is taken away that ended it, and stays when its own is', async (t) => {
    const thief = createTestVerdictKey();
    let keys = new Map([...key.accepted(), ...thief.accepted()]);
    const options = { fleet: TEST_FLEET };
    const policy = watchPolicy(
      createTestBackend({ policyHead: async () => live(list(1, A)) }),
      () => keys,
      () => {},
      options,
    );
    t.after(() => policy.stop());
    await policy.current(Date.now() + 400);
    assert.equal(policy.learn(aStatement(thief, list(1, A))), undefined);
    assert.equal(policy.learn(aStatement(thief, list(Number.MAX_SAFE_INTEGER))), undefined);
    assert.deepEqual(revokedBy(policy), []);
    // Also after it has first repeated what was revoked.
    keys = new Map(key.accepted());
    assert.deepEqual(revokedBy(policy), [A], 'a stolen key ends nothing any more');
    keys = new Map(key.accepted({ notAfter: Date.now() - 3_600_000 }));
    assert.deepEqual(revokedBy(policy), [A], 'the window of its key has ended');
    keys = new Map();
    assert.deepEqual(revokedBy(policy), [A], 'no key is left');
  });

  it('ends by a higher revision of the next key when its own key has ended', async (t) => {
    const next = createTestVerdictKey();
    let keys = new Map(key.accepted());
    const options = { fleet: TEST_FLEET };
    const policy = watchPolicy(
      createTestBackend({ policyHead: async () => live(list(1, A, B)) }),
      () => keys,
      () => {},
      options,
    );
    t.after(() => policy.stop());
    await policy.current(Date.now() + 400);
    keys = new Map([...key.accepted({ notAfter: Date.now() - 3_600_000 }), ...next.accepted()]);
    assert.equal(policy.learn(aStatement(next, list(1, A, B))), undefined);
    assert.deepEqual(revokedBy(policy), [A, B]);
    assert.equal(policy.learn(aStatement(next, list(2, B))), undefined);
    assert.deepEqual(revokedBy(policy), [B]);
  });

  it('by a key that is not of this node counts nowhere', async (t) => {
    const foreign = aStatement(createTestVerdictKey(), list(1, A));
    assert.deepEqual(revokedBy(await heard(t, [live(), foreign])), []);
  });

  it('keeps a node from using a statement that revokes more than it can keep', async (t) => {
    const lists = (from: number) =>
      Array.from({ length: 290 }, (_, i) => ({ name: `list-${from + i}`, revision: 0, digests: [A] }));
    const many = [0, 1, 2, 3, 4, 5, 6].map((part) =>
      live({ revocations: lists(part * 290), statedAt: fromNow(-90 + part) }),
    );
    const policy = await heard(t, many.slice(0, 6));
    const last = policy.newest()?.statedAt;
    assert.match(policy.learn(many[6] ?? live())?.sentence ?? '', /revokes more than a node keeps/);
    assert.equal(policy.newest()?.statedAt, last);
  });
});
