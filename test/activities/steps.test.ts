import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { createPolicyStore } from '../../activities/policy/store.ts';
import { openEnvelope } from '../../shim/verdict-keys/verdict-keys.ts';
import { POLICY_HEAD_PAYLOAD_TYPE, parsePolicyHead } from '../../workflows/verdict/policy-head.ts';
import { createSigningKey } from '../support/signer.ts';
import { digestOf } from '../support/verdicts.ts';
import { createSetting, type Setting, type SignedImage } from './setting.ts';

const release = createSigningKey('ECDSA P-256');
const second = createSigningKey('Ed25519');

interface Steps extends Setting {
  readonly image: SignedImage;
  readonly policyRevision: string;
}

/** An image that `release` signed, and a policy that asks for it; `cachedBytes` is what the worker keeps of evidence. */
async function prepare(t: TestContext, cachedBytes?: number): Promise<Steps> {
  const setting = await createSetting(t, cachedBytes);
  const policyRevision = await setting.writePolicies({ demo: [release] });
  return { ...setting, policyRevision, image: await setting.pushSigned(release) };
}

const authority = { policy: 'demo', authority: 'key-0' };

function assertFails(answer: Promise<unknown>, code: string, sentence: RegExp, nonRetryable = true): Promise<void> {
  return assert.rejects(answer, (error) => {
    assert.ok(error instanceof ApplicationFailure, String(error));
    assert.equal(error.type, code, error.message);
    assert.match(error.message, sentence);
    assert.equal(error.nonRetryable, nonRetryable);
    return true;
  });
}

describe('resolvePolicy', () => {
  it('finds the policies that match, and says how many there are', async (t) => {
    const { activities, image, policyRevision } = await prepare(t);
    const matching = [{ name: 'demo', mode: 'enforce', authorities: [{ ...authority, sources: [{}] }] }];
    assert.deepEqual(await activities.resolvePolicy({ name: image.name, digest: image.digest, policyRevision }), {
      loaded: 1,
      matching,
    });
    const elsewhere = await activities.resolvePolicy({
      name: 'docker.io/library/alpine:3',
      digest: image.digest,
      policyRevision,
    });
    assert.deepEqual(elsewhere, { loaded: 1, matching: [] });
  });

  it('answers by no other revision than the one it is asked for', async (t) => {
    const { activities, image, policyRevision, writePolicies } = await prepare(t);
    await writePolicies({ demo: [second] });
    const asked = { name: image.name, digest: image.digest, policyRevision };
    await assertFails(activities.resolvePolicy(asked), 'POLICY_CHANGED', new RegExp(policyRevision.slice(0, 12)));
  });

  it('names the first problem when there has never been a valid policy', async (t) => {
    const setting = await createSetting(t);
    await writeFile(join(setting.policyDirectory, 'broken.yaml'), 'kind: ClusterImagePolicy\nspec: [');
    const policy = await createPolicyStore(setting.policyDirectory, { pollMs: 3_600_000 });
    t.after(() => policy.stop());
    const state = policy.current();
    assert.ok(!state.ok);
    Object.assign(setting.dependencies, { policy });
    const asked = { name: 'docker.io/library/alpine:3', digest: digestOf('ab'), policyRevision: state.revision };
    await assertFails(setting.activities.resolvePolicy(asked), 'POLICY_INVALID', /broken\.yaml:\d+:\d+.*policy check/);
  });
});

describe('checkKey', () => {
  it('tells which key an authority has', async (t) => {
    const { activities, policyRevision } = await prepare(t);
    const found = await activities.checkKey({ ...authority, policyRevision });
    assert.deepEqual(found, { usable: true, keyId: release.keyId, detail: 'ECDSA P-256' });
  });

  it('knows no authority that the policy does not have, and none of another revision', async (t) => {
    const { activities, policyRevision, writePolicies } = await prepare(t);
    for (const stranger of [
      { policy: 'demo', authority: 'ceo' },
      { policy: 'other', authority: 'key-0' },
      { policy: '__proto__', authority: 'constructor' },
    ]) {
      await assertFails(activities.checkKey({ ...stranger, policyRevision }), 'INTERNAL', /has no authority/);
    }
    await writePolicies({ demo: [release, second] });
    await assertFails(activities.checkKey({ ...authority, policyRevision }), 'POLICY_CHANGED', /pull again/);
  });
});

describe('fetchSignatures', () => {
  it('finds what was signed, and nothing for another image', async (t) => {
    const { activities, image, pushSigned, policyRevision } = await prepare(t);
    const asked = { policyRevision, source: {} };
    const found = await activities.fetchSignatures({ name: image.name, digest: image.digest, ...asked });
    assert.deepEqual(found, { signatures: image.evidence, unreadable: [] });
    const unsigned = await pushSigned();
    const none = await activities.fetchSignatures({ name: unsigned.name, digest: unsigned.digest, ...asked });
    assert.deepEqual(none, { signatures: [], unreadable: [] });
  });

  it('takes a failing registry for no answer', async (t) => {
    const { activities, image, registry, policyRevision } = await prepare(t);
    const { name, digest } = image;
    const ask = () => activities.fetchSignatures({ name, digest, policyRevision, source: {} });
    registry.setFault({ effect: { kind: 'status', status: 503 } });
    await assertFails(ask(), 'REGISTRY_ERROR', /503/, false);
    registry.setFault({ effect: { kind: 'status', status: 403 } });
    await assertFails(ask(), 'REGISTRY_UNAUTHORIZED', /credentials/);
    registry.setFault({ effect: { kind: 'reset' } });
    await assertFails(ask(), 'REGISTRY_UNREACHABLE', /connection failed/, false);
  });
});

describe('verifySignature', () => {
  const request = ({ image, policyRevision }: Steps) => ({
    ...authority,
    ...{ policyRevision, name: image.name, digest: image.digest },
    ...{ keyId: release.keyId, signatures: image.evidence },
  });

  const place = ({ image: { name, digest }, policyRevision }: Steps) => ({ name, digest, policyRevision, source: {} });

  it('names the signer, by the evidence that proves it', async (t) => {
    const steps = await prepare(t);
    const outcome = await steps.activities.verifySignature(request(steps));
    const signer = {
      authority: 'demo/key-0',
      identity: `key sha256:${release.keyId}`,
      evidence: steps.image.evidence[0]?.blob,
    };
    assert.deepEqual(outcome, { satisfied: true, signers: [signer] });
  });

  it('says of each signature that does not hold why', async (t) => {
    const steps = await prepare(t);
    const { name, digest, evidence } = await steps.pushSigned(second);
    const signatures = [...evidence, ...steps.image.evidence];
    const outcome = await steps.activities.verifySignature({ ...request(steps), name, digest, signatures });
    assert.ok(!outcome.satisfied);
    assert.deepEqual(
      outcome.rejected.map(({ blob, code }) => ({ blob, code })),
      [
        { blob: signatures[0]?.blob, code: 'WRONG_KEY' },
        { blob: signatures[1]?.blob, code: 'SUBJECT_MISMATCH' },
      ],
    );
  });

  it('is satisfied by no signature when there is none', async (t) => {
    const steps = await prepare(t);
    const outcome = await steps.activities.verifySignature({ ...request(steps), signatures: [] });
    assert.deepEqual(outcome, { satisfied: false, rejected: [] });
  });

  it('does not go on with a key that was not checked', async (t) => {
    const steps = await prepare(t);
    const asked = { ...request(steps), keyId: second.keyId };
    await assertFails(steps.activities.verifySignature(asked), 'POLICY_CHANGED', /found sha256:/);
    await steps.writePolicies({ demo: [second] });
    await assertFails(steps.activities.verifySignature(request(steps)), 'POLICY_CHANGED', /applies policy revision/);
  });

  it('asks the registry for nothing while the cache holds the evidence', async (t) => {
    const steps = await prepare(t);
    await steps.activities.fetchSignatures(place(steps));
    const before = steps.registry.requests.length;
    await steps.activities.verifySignature(request(steps));
    assert.equal(steps.registry.requests.length, before);
  });

  it('reads evidence once more that the cache let go', async (t) => {
    const steps = await prepare(t, 1);
    await steps.activities.fetchSignatures(place(steps));
    const before = steps.registry.requests.length;
    assert.equal((await steps.activities.verifySignature(request(steps))).satisfied, true);
    const [again, ...others] = steps.registry.requests.slice(before);
    assert.match(again?.path ?? '', new RegExp(`/blobs/${steps.image.evidence[0]?.blob}$`));
    assert.deepEqual(others, []);
  });

  it('does not take evidence that vanished, or that changed, for a refusal', async (t) => {
    const steps = await prepare(t, 1);
    steps.registry.setFault({ effect: { kind: 'status', status: 404 } });
    const vanished = /lists the layer sha256:\S+ of the manifest sha256:\S+ and answers 404 to it; push it again/;
    await assertFails(steps.activities.verifySignature(request(steps)), 'EVIDENCE_NOT_SERVED', vanished, false);
    steps.registry.setFault({ effect: { kind: 'replace', body: Buffer.from('{}') } });
    await assertFails(steps.activities.verifySignature(request(steps)), 'REGISTRY_MISBEHAVED', /hash to/, false);
  });
});

describe('describePolicy', () => {
  it('states the applied revision so that a node believes it for a minute', async (t) => {
    const { activities, policyRevision, verdictKeys, writePolicies } = await prepare(t);
    const state = async () => {
      const envelope = await activities.describePolicy();
      return parsePolicyHead(openEnvelope(envelope, POLICY_HEAD_PAYLOAD_TYPE, verdictKeys)?.content);
    };
    const head = await state();
    assert.ok(head !== undefined);
    assert.equal(head.policyRevision, policyRevision);
    assert.equal(Date.parse(head.expiresAt) - Date.parse(head.statedAt), 60_000);
    assert.ok(Math.abs(Date.parse(head.statedAt) - Date.now()) < 30_000);
    const next = await writePolicies({ demo: [second] });
    assert.equal((await state())?.policyRevision, next);
  });
});

describe('resolveDescriptor', () => {
  it('tells what a tag points to', async (t) => {
    const { activities, image } = await prepare(t);
    const descriptor = await activities.resolveDescriptor({ name: image.name });
    assert.equal(descriptor.digest, image.digest);
    assert.equal(descriptor.mediaType, 'application/vnd.oci.image.manifest.v1+json');
  });

  it('says of a name that points nowhere what is missing: the repository, the tag or the digest', async (t) => {
    const { activities, image, registry } = await prepare(t);
    const fails = (name: string, sentence: RegExp) =>
      assertFails(activities.resolveDescriptor({ name }), 'IMAGE_NOT_FOUND', sentence);
    await fails(`${registry.address}/demo/absent:v1`, /has no repository demo\/absent; /);
    const repository = image.name.replace(/:[^:/]*$/, '');
    await fails(`${repository}:v9`, /has no tag "v9"; /);
    await fails(`${repository}@${digestOf('ab')}`, /has no image with the digest sha256:(ab){32}; /);
    const pinned = await activities.resolveDescriptor({ name: `${repository}@${image.digest}` });
    assert.equal(pinned.digest, image.digest);
  });

  it('refuses what is no name', async (t) => {
    const { activities } = await prepare(t);
    await assertFails(activities.resolveDescriptor({ name: 'a b' }), 'REQUEST_INVALID', /an image name/);
  });
});
