import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import type { SignatureReference } from '../../../workflows/activities.ts';
import type { Digest } from '../../../workflows/format/digest.ts';
import type { Verdict } from '../../../workflows/verdict/verdict.ts';
import { addDocuments, claimOf, revocationOf, sign, signAs } from '../../support/asked.ts';
import { pushImage, pushIndex, pushManifest } from '../../support/registry-push.ts';
import { createSigningKey } from '../../support/signer.ts';
import { digestOf } from '../../support/verdicts.ts';
import { createSetting } from '../setting.ts';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const IMAGE = 'application/vnd.oci.image.manifest.v1+json';

const release = createSigningKey('ECDSA P-256');

/** A signed index in a signed index, a signed image in both, and a policy that asks for `release`. */
async function scene(t: TestContext) {
  const setting = await createSetting(t);
  await setting.writePolicies({ demo: [release] });
  const target = { address: setting.registry.address, repository: 'demo/app' };
  const child = await pushImage(target, 'child');
  const inner = await pushIndex(target, 'inner', [child]);
  const manifests = [
    { mediaType: INDEX, digest: inner, size: 100 },
    { mediaType: IMAGE, digest: await pushImage(target, 'other'), size: 100 },
  ];
  const outer = await pushManifest(target, 'v1', { schemaVersion: 2, mediaType: INDEX, manifests }, INDEX);
  const evidence: Record<'child' | 'inner' | 'outer', SignatureReference> = {
    child: await sign(target, child, release),
    inner: await sign(target, inner, release),
    outer: await sign(target, outer, release),
  };
  const name = `${setting.registry.address}/demo/app:v1`;
  return {
    ...{ setting, target, child, inner, outer, name, evidence },
    revoke: (digests: readonly Digest[], revision?: number) => addDocuments(setting, revocationOf(digests, revision)),
    /** What the worker signs when a workflow asks about one of them: by the policy first, then by the evidence. */
    async ask(digest: Digest, reference: SignatureReference, as = name): Promise<Verdict> {
      const policyRevision = await addDocuments(setting);
      const image = { name: as, digest };
      const { revoked } = await setting.activities.resolvePolicy({ ...image, policyRevision });
      const changes = { outcome: 'deny', reasons: [{ code: 'REVOKED', sentence: 'as the workflow says' }] } as const;
      if (revoked) return await signAs(setting, { claim: claimOf(policyRevision, image, changes), evidence: [] });
      return await signAs(setting, { claim: claimOf(policyRevision, image), evidence: [reference] });
    },
  };
}

const saysOf = ({ outcome, reasons }: Verdict) => [outcome, reasons.map(({ code }) => code)];

describe('an allow', () => {
  it('names everything that it lets in and rests on', async (t) => {
    const { ask, outer, inner, child, evidence } = await scene(t);
    const verdict = await ask(outer, evidence.outer);
    assert.equal(verdict.outcome, 'allow');
    assert.deepEqual(verdict.covers?.slice(0, 2), [inner, child]);
    assert.deepEqual([verdict.covers?.length, verdict.covers?.at(-1)], [4, evidence.outer.manifest]);
    assert.deepEqual((await ask(child, evidence.child)).covers, [evidence.child.manifest]);
  });

  it('is signed as a refusal for an index that lists something revoked, at any level', async (t) => {
    const { ask, revoke, outer, inner, child, evidence } = await scene(t);
    await revoke([child]);
    for (const [digest, reference] of [
      [outer, evidence.outer],
      [inner, evidence.inner],
    ] as const) {
      const verdict = await ask(digest, reference);
      assert.deepEqual(saysOf(verdict), ['deny', ['REVOKED']]);
      assert.match(
        verdict.reasons[0].sentence,
        new RegExp(`${digest} lists ${child}, which was revoked .* "bad"; use`),
      );
      assert.deepEqual([verdict.signers, verdict.covers], [[], undefined]);
    }
  });

  it('is signed as a refusal for what a revoked index lists, by its own signature and without a tag', async (t) => {
    const { ask, revoke, outer, inner, child, name, evidence } = await scene(t);
    assert.equal((await ask(child, evidence.child)).outcome, 'allow');
    await revoke([outer]);
    const untagged = name.replace(/:v1$/, '');
    for (const [digest, reference] of [
      [child, evidence.child],
      [inner, evidence.inner],
    ] as const) {
      const verdict = await ask(digest, reference, untagged);
      assert.deepEqual(saysOf(verdict), ['deny', ['REVOKED']]);
      assert.match(
        verdict.reasons[0].sentence,
        /was revoked by (a Revocation of|the Revocation "bad", by its own digest or)/,
      );
    }
  });

  it('is signed again when a higher revision of the list ends it', async (t) => {
    const { ask, revoke, outer, child, evidence } = await scene(t);
    await revoke([outer], 1);
    assert.equal((await ask(child, evidence.child)).outcome, 'deny');
    await revoke([digestOf('ab')], 1);
    assert.equal((await ask(child, evidence.child)).outcome, 'deny', 'the same revision ends nothing');
    await revoke([], 2);
    assert.equal((await ask(child, evidence.child)).outcome, 'allow');
  });

  it('looks for a revoked digest once in a repository', async (t) => {
    const { setting, ask, revoke, child, evidence } = await scene(t);
    await revoke([digestOf('ab')]);
    await ask(child, evidence.child);
    const wanted = () => setting.registry.requests.filter(({ path }) => path.includes(digestOf('ab'))).length;
    assert.equal(wanted(), 1);
    await ask(child, evidence.child);
    assert.equal(wanted(), 1);
  });

  it('states what a revoked index lists to the nodes, once that is known', async (t) => {
    const { setting, ask, revoke, outer, inner, child, evidence } = await scene(t);
    await ask(child, evidence.child);
    await revoke([outer]);
    await ask(child, evidence.child);
    const [list] = setting.dependencies.revocations.stated();
    assert.ok([outer, inner, child].every((digest) => list?.digests.includes(digest)));
  });

  it('states it also when nobody asks again: for images that were allowed, and for an index with its name', async (t) => {
    const { setting, target, ask, revoke, child, inner, outer, name, evidence } = await scene(t);
    const stated = async (wanted: readonly Digest[]) => {
      for (let attempt = 0; attempt < 100; attempt++) {
        await setting.activities.describePolicy();
        const known = setting.dependencies.revocations.stated().flatMap(({ digests }) => digests);
        if (wanted.every((digest) => known.includes(digest))) return true;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      return false;
    };
    const elsewhere = { ...target, repository: 'demo/elsewhere' };
    const far = await pushImage(elsewhere, 'far');
    const index = await pushIndex(elsewhere, 'v1', [far]);
    const named = `${setting.registry.address}/demo/elsewhere:v1@${index}`;
    await ask(child, evidence.child, name.replace(/:v1$/, ''));
    await revoke([outer, named as Digest]);
    assert.ok(await stated([outer, inner, child, index, far]));
  });
});

describe('evidence', () => {
  it('about a revoked index counts nowhere, and neither does evidence that is revoked itself', async (t) => {
    const { setting, target, child, name, evidence } = await scene(t);
    const counts =
      '{apiVersion: portcullis.dev/v1alpha1, kind: AuthorityRequirement, metadata: {name: index}, spec: {policy: demo, indexAttestations: counts}}';
    const policyRevision = await addDocuments(setting, counts);
    const judge = async (reference: SignatureReference) => {
      const request = { name, digest: child, policyRevision, policy: 'demo', authority: 'key-0', keyId: release.keyId };
      return await setting.activities.verifySignature({ ...request, signatures: [reference] });
    };
    const index = await pushIndex(target, 'v1', [child]);
    const about = { ...(await sign(target, index, release)), index };
    assert.equal((await judge(about)).satisfied, true);
    assert.equal((await judge(evidence.child)).satisfied, true);
    await addDocuments(setting, counts, revocationOf([index, evidence.child.blob]));
    for (const [reference, sentence] of [
      [about, /it is about the index sha256:[0-9a-f]{64}, which was revoked by the Revocation "bad"/],
      [evidence.child, /it is sha256:[0-9a-f]{64}, which was revoked by the Revocation "bad"/],
    ] as const) {
      const outcome = await judge(reference);
      assert.ok(!outcome.satisfied);
      assert.deepEqual(
        outcome.rejected.map(({ code }) => code),
        ['REVOKED'],
      );
      assert.match(outcome.rejected[0]?.sentence ?? '', sentence);
    }
  });
});

describe('a manifest that can not be read', () => {
  const unread = async (t: TestContext, status: number) => {
    const made = await scene(t);
    const { setting, child } = made;
    const matches = ({ path }: { readonly path: string }) => path.endsWith(`/manifests/${child}`);
    setting.registry.setFault({ effect: { kind: 'status', status }, matches });
    return made;
  };

  it('leaves an allow without what it covers while nothing is revoked', async (t) => {
    for (const status of [401, 404, 500]) {
      const { ask, child, evidence } = await unread(t, status);
      const verdict = await ask(child, evidence.child);
      assert.deepEqual([verdict.outcome, verdict.covers], ['allow', undefined], String(status));
    }
  });

  for (const [status, code] of [
    [401, 'REGISTRY_UNAUTHORIZED'],
    [404, 'REGISTRY_MISBEHAVED'],
  ] as const) {
    it(`is a refusal without an answer while anything is revoked, and ${status} stays ${code}`, async (t) => {
      const { ask, child, evidence, revoke } = await unread(t, status);
      await revoke([digestOf('ab')]);
      assert.deepEqual(saysOf(await ask(child, evidence.child)), ['inconclusive', [code]]);
    });
  }

  it('is asked for again while anything is revoked and the registry only fails for a time', async (t) => {
    const { ask, child, evidence, revoke } = await unread(t, 503);
    await revoke([digestOf('ab')]);
    await assert.rejects(ask(child, evidence.child), (error) => {
      assert.ok(error instanceof ApplicationFailure);
      assert.deepEqual([error.type, error.nonRetryable], ['REGISTRY_ERROR', false]);
      return true;
    });
  });
});
