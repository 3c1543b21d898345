import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { TrustPlan } from '../../support/virtual-sigstore/trusted-root.ts';
import { keys, names, startMirror, storeFor, targetsOf, trustedRootBytes, useAndRefresh } from './setting.ts';

describe('the trust revision', () => {
  async function revisionOf(t: TestContext, bend: (plan: TrustPlan) => void = () => {}) {
    const { store } = storeFor(t);
    await store.use([keys('acme', trustedRootBytes(bend))], names('acme'));
    return store.revision();
  }

  const CHANGES: readonly (readonly [string, (plan: TrustPlan) => void])[] = [
    [
      'an authority more',
      (plan) => plan.authorities.push({ ...first(plan.authorities), window: { from: new Date(0) } }),
    ],
    [
      'an authority that ends',
      (plan) => {
        first(plan.authorities).window.until = new Date('2026-06-02T00:00:00Z');
      },
    ],
    ['a log less', (plan) => plan.logs.pop()],
    [
      'a log that begins later',
      (plan) => {
        first(plan.logs).window.from = new Date('2026-06-02T00:00:00Z');
      },
    ],
    [
      'a log elsewhere',
      (plan) => {
        first(plan.logs).baseUrl = 'https://other.rekor.test';
      },
    ],
    ['a CT log less', (plan) => plan.ctLogs.pop()],
    ['a timestamp authority less', (plan) => plan.timestampAuthorities.pop()],
  ];
  for (const [what, bend] of CHANGES) {
    it(`is another one with ${what}`, async (t) => {
      assert.notEqual(await revisionOf(t, bend), await revisionOf(t));
    });
  }

  it('is the same for the same trust: another order, another contact, another start', async (t) => {
    const plain = await revisionOf(t);
    assert.equal(await revisionOf(t), plain);
    assert.equal(await revisionOf(t, (plan) => plan.logs.reverse()), plain);
    assert.equal(
      await revisionOf(t, (plan) => {
        first(plan.authorities).uri = 'https://elsewhere.test';
      }),
      plain,
    );
  });

  it('depends on the names', async (t) => {
    const { store } = storeFor(t);
    await store.use([keys('acme')], names('acme'));
    const { store: other } = storeFor(t);
    await other.use([keys('beta')], names('beta'));
    assert.notEqual(store.revision(), other.revision());
    assert.match(store.revision(), /^[0-9a-f]{64}$/);
  });

  it('does not change with metadata that is renewed, and does with what it holds', async (t) => {
    const { document, repository } = await startMirror(t);
    const { store } = storeFor(t);
    await store.use([document], names('acme'));
    const cold = storeFor(t);
    await useAndRefresh(store, document);
    const warm = store.revision();
    assert.notEqual(warm, cold.store.revision());
    repository.publish({ targets: targetsOf() });
    await store.refresh();
    assert.equal(store.revision(), warm);
    repository.publish({ targets: targetsOf(trustedRootBytes((plan) => plan.logs.pop())) });
    await store.refresh();
    assert.notEqual(store.revision(), warm);
  });
});

function first<T>(list: readonly T[]): T {
  const [one] = list;
  assert.ok(one !== undefined);
  return one;
}
