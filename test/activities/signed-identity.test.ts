import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { pushImage, pushSignatureTag } from '../support/registry-push.ts';
import { cosignPayload, createSigningKey, signSimple } from '../support/signer.ts';
import { createSetting } from './setting.ts';

const release = createSigningKey('Ed25519');
const AUTHORITY = { policy: 'demo', authority: 'release' } as const;

/** An image in `mirror/app`, signed as cosign 2 does under `reference`, and a policy with more demands. */
async function scene(t: TestContext, demand: string, reference: (address: string) => string) {
  const setting = await createSetting(t);
  const { address } = setting.registry;
  const target = { address, repository: 'mirror/app' };
  const digest = await pushImage(target, 'v1');
  const { payload, signature } = signSimple(release, cosignPayload(digest, reference(address)));
  await pushSignatureTag(target, digest, [payload], signature);
  const policyRevision = await setting.writeDocuments(documents(demand.replaceAll('REGISTRY', address)));
  return {
    policyRevision,
    /** What is found of the image under this name: `satisfied`, or the code and the sentence. */
    async judge(name: string): Promise<string> {
      const asked = { name: `${address}/${name}`, digest, policyRevision };
      const { signatures } = await setting.activities.fetchSignatures({ ...asked, source: {} });
      assert.equal(signatures.length, 1);
      const request = { ...asked, ...AUTHORITY, keyId: release.keyId, signatures };
      const outcome = await setting.activities.verifySignature(request);
      if (outcome.satisfied) return 'satisfied';
      return outcome.rejected.map(({ code, sentence }) => `${code}: ${sentence}`).join('\n');
    },
  };
}

function documents(demand: string): string {
  return `apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata:
  name: demo
spec:
  images:
    - glob: "**"
  authorities:
    - name: release
      key:
        data: ${JSON.stringify(release.publicPem)}
---
apiVersion: portcullis.dev/v1alpha1
kind: AuthorityRequirement
metadata:
  name: identity
spec:
  policy: demo
  ${demand}
`;
}

describe('an image that was copied with its signature', () => {
  const origin = (address: string) => `${address}/origin/app`;

  it('is denied where nothing says that it may be', async (t) => {
    const { judge } = await scene(t, 'indexAttestations: counts', origin);
    assert.match(await judge('mirror/app:v1'), /^REPOSITORY_MISMATCH: .*\/origin\/app"$/);
  });

  for (const [how, demand] of [
    ['repository', 'signedAs: [{ repository: "REGISTRY/origin/app" }]'],
    ['glob', 'signedAs: [{ glob: "REGISTRY/origin/**" }]'],
    ['prefix', 'signedAs: [{ prefix: "REGISTRY/mirror", signedPrefix: "REGISTRY/origin" }]'],
  ] as const) {
    it(`is allowed where its first name is listed by ${how}`, async (t) => {
      const { judge } = await scene(t, demand, origin);
      assert.equal(await judge('mirror/app:v1'), 'satisfied');
      assert.equal(await judge('mirror/app'), 'satisfied');
    });
  }

  it('is denied where another name is listed', async (t) => {
    const demand = 'signedAs: [{ prefix: "REGISTRY/mirror", signedPrefix: "REGISTRY/origin" }]';
    const { judge } = await scene(t, demand, (address) => `${address}/origin/debug`);
    assert.match(await judge('mirror/app:v1'), /^REPOSITORY_MISMATCH: .*\/origin\/app" \(signedAs\), it names/);
  });

  it('is judged anew under each tag where the exact reference is required', async (t) => {
    const demand = 'signedReference: exact\n  signedAs: [{ repository: "REGISTRY/origin/app" }]';
    const { judge } = await scene(t, demand, (address) => `${origin(address)}:v1`);
    assert.equal(await judge('mirror/app:v1'), 'satisfied');
    assert.match(await judge('mirror/app:v2'), /^REFERENCE_MISMATCH: .* expected the tag "v2", it names .*:v1"$/);
    assert.match(await judge('mirror/app'), /^REFERENCE_MISMATCH: the image is pulled without a tag/);
    assert.equal(await judge('mirror/app:v1'), 'satisfied');
  });
});
