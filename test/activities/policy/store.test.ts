import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { PolicyLoad } from '../../../activities/policy/policy-set.ts';
import { createPolicyStore, type PolicyState } from '../../../activities/policy/store.ts';
import { policyDirectory, policyYaml, publicKeyPem, writeInside } from './policy-directory.ts';

/** So long that only `reload` looks. */
const NEVER = 2 ** 30;

function revision(state: PolicyState): string {
  return state.ok ? state.set.contentHash : assert.fail('no set');
}

test('an invalid directory at the start leaves no set until it is mended', async (t) => {
  const directory = await policyDirectory(t, { 'a.yaml': policyYaml() });
  const store = await createPolicyStore(directory, { pollMs: NEVER });
  t.after(() => store.stop());
  const first = store.current();
  assert.equal(first.ok, false);
  assert.match(first.ok ? '' : (first.problems[0]?.message ?? ''), /secrets\/release\.pub/);
  assert.match(first.ok ? '' : first.revision, /^[0-9a-f]{64}$/);
  await writeInside(directory, 'secrets/release.pub', publicKeyPem());
  assert.equal((await store.reload()).ok, true);
  assert.equal(store.current().ok, true);
});

test('a missing directory is a state, not a crash', async (t) => {
  const store = await createPolicyStore(join(await policyDirectory(t, {}), 'none'), { pollMs: NEVER });
  t.after(() => store.stop());
  assert.equal(store.current().ok, false);
});

test('a reload with problems keeps the last good set and tells the problems', async (t) => {
  const directory = await policyDirectory(t, { 'a.yaml': policyYaml(), 'secrets/release.pub': publicKeyPem() });
  const told: PolicyLoad[] = [];
  const store = await createPolicyStore(directory, { pollMs: NEVER, onReload: (load) => told.push(load) });
  t.after(() => store.stop());
  const good = revision(store.current());

  await writeInside(directory, 'b.yaml', 'nonsense');
  const bad = await store.reload();
  assert.equal(revision(bad), good);
  assert.equal(bad.ok && bad.rejected?.problems.length, 1);
  await store.reload();
  await rm(join(directory, 'b.yaml'));
  const again = await store.reload();
  assert.equal(revision(again), good);
  assert.equal(again.ok && again.rejected, undefined);
  assert.deepEqual(
    told.map((load) => load.ok),
    [true, false, true],
  );

  await rm(directory, { recursive: true });
  assert.equal(revision(await store.reload()), good);
  await writeInside(directory, 'notes.txt', '');
  const empty = await store.reload();
  assert.equal(empty.ok && empty.set.policies.length, 0);
});

test('a set is replaced as a whole: one that was taken before stays as it was', async (t) => {
  const directory = await policyDirectory(t, { 'a.yaml': policyYaml(), 'secrets/release.pub': publicKeyPem() });
  const store = await createPolicyStore(directory, { pollMs: NEVER });
  t.after(() => store.stop());
  const before = store.current();
  const copy = structuredClone(before.ok && before.set.policies.map(({ name, images }) => ({ name, images })));
  await writeInside(directory, 'a.yaml', policyYaml({ name: 'new' }));
  const [one, two] = await Promise.all([store.reload(), store.reload()]);
  assert.notEqual(revision(one), revision(before));
  assert.equal(revision(one), revision(two));
  assert.deepEqual(before.ok && before.set.policies.map(({ name, images }) => ({ name, images })), copy);
});

test('changes are found by looking, without a call', async (t) => {
  const directory = await policyDirectory(t, { 'a.yaml': policyYaml(), 'secrets/release.pub': publicKeyPem() });
  const changed = Promise.withResolvers<PolicyLoad>();
  let loads = 0;
  const store = await createPolicyStore(directory, {
    pollMs: 5,
    onReload: (load) => {
      loads += 1;
      if (loads === 2) changed.resolve(load);
    },
  });
  t.after(() => store.stop());
  const before = revision(store.current());
  // The store's own timer keeps no process alive.
  const alive = setInterval(() => {}, 1000);
  t.after(() => clearInterval(alive));
  await writeInside(directory, 'secrets/release.pub', publicKeyPem());
  await changed.promise;
  assert.notEqual(store.current().ok && revision(store.current()), before);
});

test('a store that was stopped changes no more', async (t) => {
  const directory = await policyDirectory(t, { 'a.yaml': policyYaml(), 'secrets/release.pub': publicKeyPem() });
  const store = await createPolicyStore(directory, { pollMs: NEVER });
  const before = revision(store.current());
  store.stop();
  await rm(join(directory, 'a.yaml'));
  assert.equal(revision(await store.reload()), before);
});
