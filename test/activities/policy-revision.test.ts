import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { appliedRevision, trustRevision } from '../../activities/authority/applied-policy.ts';
import { createPolicyCheck } from '../../activities/cli/policy-check.ts';
import { describePolicy } from '../../activities/describe-policy.ts';
import { createResources } from '../../activities/resources.ts';
import type { TrustStoreOptions } from '../../activities/trust/store.ts';
import { createVerdictKey, loadVerdictKey } from '../../activities/verdict-key/verdict-key.ts';
import { verificationId } from '../../workflows/verdict/verification-id.ts';

import { temporaryFolder } from '../support/temporary-folder.ts';
import { digestOf, TEST_FLEET } from '../support/verdicts.ts';
import { KEYLESS, type Parts, policyDirectory, policyDocument, publicKeyPem } from './policy/policy-directory.ts';
import { startMirror, targetsOf, trustedRootBytes } from './trust/setting.ts';
import { base64, MIRROR, ROOT } from './trust/trust-document.ts';

interface Case {
  readonly files: Readonly<Record<string, string>>;
  readonly trust?: Pick<TrustStoreOptions, 'publicGood' | 'refreshMs'>;
}

function trustRoot(spec: Parts, name = 'ours'): string {
  return JSON.stringify({ apiVersion: 'policy.sigstore.dev/v1alpha1', kind: 'TrustRoot', metadata: { name }, spec });
}

const byRoot = (name: string) => policyDocument([{ keyless: { ...KEYLESS, trustRootRef: name } }]);
const TRUST = trustedRootBytes().toString();

/** A directory for each kind of trust root, and for what names none. */
const CASES: Readonly<Record<string, (t: TestContext) => Promise<Case>>> = {
  'no trust root': async () => ({ files: { 'demo.yaml': policyDocument([{ key: { data: publicKeyPem() } }]) } }),
  'a key in a KMS': async () => ({
    files: { 'demo.yaml': policyDocument([{ key: { kms: 'hashivault://release' } }]) },
  }),
  'no policy': async () => ({ files: {} }),
  'keys in a document': async () => ({
    files: { 'demo.yaml': byRoot('ours'), 'trust.yaml': trustRoot({ trustedRootJSON: TRUST }) },
  }),
  'keys in a file': async () => ({ files: { 'demo.yaml': byRoot('ours'), 'trust/ours.json': TRUST } }),
  'a TUF repository in a document': async () => ({
    files: { 'demo.yaml': byRoot('ours'), 'trust.yaml': trustRoot({ repository: { root: ROOT, mirrorFS: MIRROR } }) },
  }),
  'a TUF mirror': async (t) => {
    const { repository, server } = await startMirror(t);
    const remote = { root: base64(repository.initialRoot), mirror: server.url.href, targets: 'targets' };
    return { files: { 'demo.yaml': byRoot('ours'), 'trust.yaml': trustRoot({ remote }) } };
  },
  'the public good instance': async (t) => {
    const { document } = await startMirror(t);
    assert.equal(document.source.kind, 'remote');
    return { files: { 'demo.yaml': byRoot('public-good') }, trust: { publicGood: document.source } };
  },
  'a document that is not valid': async () => ({ files: { 'demo.yaml': '{' } }),
};

describe('the policy revision', () => {
  for (const [kind, make] of Object.entries(CASES)) {
    it(`is one number in the check, the log, the statement and the workflow id: ${kind}`, async (t) => {
      const { files, trust = {} } = await make(t);
      const directory = await policyDirectory(t, files);
      const { text, json } = await run(t, directory, trust);
      const worker = await startWorker(t, directory, trust);
      const [, printed] = /^revision ([0-9a-f]{64})$/m.exec(text) ?? [];
      assert.equal(json.revision, printed);
      const [, trustPrinted] = /^trust revision ([0-9a-f]{64})$/m.exec(text) ?? [];
      assert.equal(json.trustRevision, trustPrinted);
      const revision = await settled(worker, (one) => printed === undefined || one === printed);
      assert.equal(printed === undefined, kind === 'a document that is not valid', text);
      assert.match(revision, /^[0-9a-f]{64}$/);
      assert.equal(appliedRevision(worker.dependencies), revision);
      assert.equal(trustRevision(worker.dependencies, revision), trustPrinted ?? '');
      assert.deepEqual(worker.trust.at(-1), trustPrinted);
      assert.equal(
        trustPrinted !== undefined,
        'trust.yaml' in files || 'trust/ours.json' in files || trust.publicGood !== undefined,
      );
      const name = { name: 'registry.example/demo/app', digest: digestOf('ab'), fleet: TEST_FLEET };
      const id = verificationId({ ...name, policyRevision: revision }, 'quarter-hour', 0);
      const [short = ''] = id.split('/').slice(-2);
      assert.ok(short.length >= 12 && revision.startsWith(short), id);
    });
  }

  it('is logged again when a trust root is there at last, and when it changes', async (t) => {
    const { repository, server, document } = await startMirror(t);
    assert.equal(document.source.kind, 'remote');
    const remote = { root: base64(repository.initialRoot), mirror: server.url.href, targets: 'targets' };
    const directory = await policyDirectory(t, { 'demo.yaml': byRoot('ours'), 'trust.yaml': trustRoot({ remote }) });
    server.fault = 'error';
    const worker = await startWorker(t, directory, { refreshMs: 100 });
    const before = await settled(worker, () => true);
    assert.deepEqual(worker.logged, [before]);
    server.fault = undefined;
    const after = await settled(worker, (one) => one !== before);
    assert.deepEqual(worker.logged, [before, after]);
    repository.publish({ targets: targetsOf(trustedRootBytes((plan) => plan.timestampAuthorities.splice(0))) });
    const later = await settled(worker, (one) => one !== after);
    assert.deepEqual(worker.logged, [before, after, later]);
    assert.equal((await run(t, directory, {})).json.revision, later);
  });

  it('is not printed while a trust root cannot be read, and the reason is', async (t) => {
    const { repository, server } = await startMirror(t);
    server.fault = 'error';
    const remote = { root: base64(repository.initialRoot), mirror: server.url.href, targets: 'targets' };
    const directory = await policyDirectory(t, { 'demo.yaml': byRoot('ours'), 'trust.yaml': trustRoot({ remote }) });
    const { code, text, json } = await run(t, directory, {});
    assert.equal(code, 0);
    assert.match(text, /^revision unknown: the trust root "ours" could not .*; /m);
    assert.doesNotMatch(text, /[0-9a-f]{64}/);
    assert.equal(json.revision, undefined);
    assert.match(json.warnings.join('\n'), /^the trust root "ours" could not .*127\.0\.0\.1/);
  });
});

async function startWorker(t: TestContext, policy: string, trust: Case['trust'] & {}) {
  const folder = await temporaryFolder();
  t.after(() => folder[Symbol.asyncDispose]());
  const key = join(folder.path, 'verdict.key');
  await createVerdictKey(key, join(folder.path, 'verdict.pub'));
  const logged: string[] = [];
  const trusted: (string | undefined)[] = [];
  const resources = await createResources(
    {
      ...{ policy, state: undefined, fleet: TEST_FLEET, plainHttp: [], allowInternal: [], registryHosts: [] },
      ...{ credentialProviders: undefined, verdictKey: await loadVerdictKey(key), trust },
    },
    (_, __, fields) => {
      if (!('policyRevision' in fields)) return;
      logged.push(String(fields.policyRevision));
      trusted.push('trustRevision' in fields ? String(fields.trustRevision) : undefined);
    },
  );
  t.after(() => resources.stop());
  return { dependencies: resources.dependencies, logged, trust: trusted };
}

async function stated({ dependencies }: Awaited<ReturnType<typeof startWorker>>): Promise<string> {
  const { payload } = await describePolicy(dependencies);
  const head = JSON.parse(Buffer.from(payload, 'base64').toString()) as { readonly policyRevision: string };
  return head.policyRevision;
}

/** Waits for a trust root that is being fetched, and for the log. */
async function settled(worker: Awaited<ReturnType<typeof startWorker>>, last: (revision: string) => boolean) {
  let seen: readonly unknown[] = [];
  for (const end = Date.now() + 8_000; Date.now() < end; await delay(20)) {
    const revision = await stated(worker);
    if (last(revision) && worker.logged.at(-1) === revision) return revision;
    seen = [`stated ${revision}`, ...worker.logged];
  }
  return assert.fail(`stated and logged differ from what is expected: ${seen.join(', ')}`);
}

async function run(t: TestContext, directory: string, trust: TrustStoreOptions) {
  const out = t.mock.method(console, 'log', () => {});
  const printed = () => out.mock.calls.map((call) => String(call.arguments[0])).join('\n');
  t.mock.method(console, 'error', () => {});
  const command = createPolicyCheck(trust);
  const code = await command.run([directory]);
  const text = printed();
  out.mock.resetCalls();
  assert.equal(await command.run([directory, '--output', 'json']), code);
  const json = JSON.parse(printed()) as {
    readonly revision?: string;
    readonly trustRevision?: string;
    readonly warnings: readonly string[];
  };
  out.mock.restore();
  return { code, text, json };
}
