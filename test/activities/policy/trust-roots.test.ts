import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadPolicyDirectory } from '../../../activities/policy/load.ts';
import { authorityChain, trustedRootFile } from './material.ts';
import {
  KEYLESS,
  type Parts,
  policyDirectory,
  policyDocument,
  problemsOf,
  publicKeyPem,
  setOf,
  writeInside,
} from './policy-directory.ts';

const PRIVATE: Parts = { keyless: { ...KEYLESS, trustRootRef: 'ours' } };
const DEMO = { 'demo.yaml': policyDocument([PRIVATE]) };

function trustRootDocument(name: string, spec: Parts = { trustedRootJSON: trustedRootFile() }): string {
  const apiVersion = 'policy.sigstore.dev/v1alpha1';
  return JSON.stringify({ apiVersion, kind: 'TrustRoot', metadata: { name }, spec });
}

describe('trust roots beside policies', () => {
  it('are documents, or files that a policy names', async (t) => {
    for (const files of [{ 'trust.yaml': trustRootDocument('ours') }, { 'trust/ours.json': trustedRootFile() }]) {
      const { trustRoots, policies } = await setOf(t, { ...DEMO, ...files });
      assert.deepEqual(
        trustRoots.map(({ name, source }) => [name, source.kind]),
        [['ours', 'keys']],
      );
      const signer = policies[0]?.authorities[0]?.signer;
      assert.equal(signer?.kind === 'keyless' && signer.trustRoot, 'ours');
    }
  });

  it('are not read where no policy names them, except for documents', async (t) => {
    const files = { 'demo.yaml': policyDocument([{ keyless: KEYLESS }]), 'trust/ours.json': 'broken' };
    assert.deepEqual((await setOf(t, files)).trustRoots, []);
    const unused = await setOf(t, { ...files, 'trust.yaml': trustRootDocument('unused') });
    assert.deepEqual(
      unused.trustRoots.map(({ name }) => name),
      ['unused'],
    );
  });

  it('can be named public-good without a document, and a document of that name stands in for it', async (t) => {
    const named = { keyless: { ...KEYLESS, trustRootRef: 'public-good' } };
    assert.deepEqual((await setOf(t, { 'demo.yaml': policyDocument([named]) })).trustRoots, []);
    const files = { 'demo.yaml': policyDocument([named]), 'trust.yaml': trustRootDocument('public-good') };
    const { trustRoots } = await setOf(t, files);
    assert.deepEqual(
      trustRoots.map(({ name }) => name),
      ['public-good'],
    );
  });

  it('are told where they are broken, and where they are missing', async (t) => {
    for (const content of ['', '{', '[]', '{}', 'x'.repeat(200_000), trustedRootFile().slice(0, -20)]) {
      const text = (await problemsOf(t, { ...DEMO, 'trust/ours.json': content })).join('\n');
      assert.match(
        text,
        /^demo\.yaml:1:\d+ spec\.authorities\[0\]\.keyless\.trustRootRef: (?:trust\/ours\.json: expected (?:the JSON|a JSON object|the mediaType)|expected a TrustRoot "ours" .* at most 131072 bytes)/,
      );
      assert.doesNotMatch(text, /\n/);
    }
    const [broken, ...rest] = await problemsOf(t, { ...DEMO, 'trust.yaml': trustRootDocument('ours', {}) });
    assert.match(broken ?? '', /^trust\.yaml:1:\d+ spec: expected one of remote/);
    assert.deepEqual(rest, []);
    const twice = await problemsOf(t, {
      ...DEMO,
      'a.yaml': trustRootDocument('ours'),
      'b.yaml': trustRootDocument('ours'),
    });
    assert.match(twice.join('\n'), /^b\.yaml:1:1 metadata\.name: expected a new name, found "ours" already in a\.yaml/);
  });

  it('are bounded in number', async (t) => {
    const documents = Array.from({ length: 51 }, (_, i) => trustRootDocument(`t${i}`)).join('\n---\n');
    const found = await problemsOf(t, { 'demo.yaml': documents });
    assert.match(found.join('\n'), /expected at most 50 documents of this kind, found more; merge some$/);
  });
});

describe('the revision', () => {
  it('follows every file that a policy refers to', async (t) => {
    const [intermediate, root] = authorityChain();
    const credential = (user: string) => `{"auths":{"a.example":{"username":"${user}","password":"p"}}}`;
    const keyless = { ...KEYLESS, trustRootRef: 'ours', 'ca-cert': { secretRef: { name: 'ca' } } };
    const source = [{ oci: 'a.example/x', signaturePullSecrets: [{ name: 'pull' }] }];
    const ctlog = { 'public-key': { secretRef: { name: 'log' } } };
    const directory = await policyDirectory(t, {
      'demo.yaml': policyDocument([{ keyless, source, ctlog }]),
      'secrets/ca.pem': `${intermediate.pem}${root.pem}`,
      'secrets/pull.json': credential('a'),
      'secrets/log.pub': publicKeyPem(),
      'trust/ours.json': trustedRootFile(),
    });
    const revisions: string[] = [];
    const note = async () => {
      const load = await loadPolicyDirectory(directory);
      revisions.push(load.ok ? load.set.contentHash : assert.fail(JSON.stringify(load.problems)));
    };
    await note();
    await writeInside(directory, 'secrets/ca.pem', root.pem);
    await note();
    await writeInside(directory, 'secrets/pull.json', credential('b'));
    await note();
    await writeInside(directory, 'secrets/log.pub', publicKeyPem());
    await note();
    await writeInside(directory, 'trust/ours.json', trustedRootFile());
    await note();
    assert.equal(new Set(revisions).size, revisions.length);
    await writeInside(directory, 'secrets/other.json', credential('c'));
    await writeInside(directory, 'trust/other.json', trustedRootFile());
    await note();
    assert.equal(revisions.at(-1), revisions.at(-2));
  });
});
