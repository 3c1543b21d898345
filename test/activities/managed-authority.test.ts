import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { EvidenceError } from '../../activities/evidence-error.ts';
import type { SignatureReference, VerdictRequest } from '../../workflows/activities.ts';
import { preAuthEncoding } from '../../workflows/format/dsse.ts';
import { KmsOwner, kmsEnvironment, type OwnedKey } from '../support/kms/owner.ts';
import { type FakeKms, startKms } from '../support/kms/server.ts';
import { pushBundle, pushImage } from '../support/registry-push.ts';
import { cosignStatement, encodeJson, STATEMENT_PAYLOAD_TYPE } from '../support/signer.ts';
import { createSetting } from './setting.ts';

const TEN_SECONDS = { maxAge: '10s' };
const AUTHORITIES = ['release', 'backup'];

let kms: FakeKms;
let owner: KmsOwner;
before(async () => {
  kms = await startKms();
  owner = new KmsOwner(kms.url);
  Object.assign(process.env, kmsEnvironment(kms.url));
});
after(async () => {
  owner.close();
  await kms.stop();
});

function policyOf(glob: string, uris: readonly string[], look: object): string {
  const head = (apiVersion: string, kind: string, spec: object) =>
    JSON.stringify({ apiVersion, kind, metadata: { name: 'managed' }, spec });
  const authorities = uris.map((uri, i) => ({ name: AUTHORITIES[i], key: { kms: uri } }));
  const policy = { images: [{ glob }], authorities };
  const requirement = { policy: 'managed', key: look };
  return [
    head('policy.sigstore.dev/v1beta1', 'ClusterImagePolicy', policy),
    head('portcullis.dev/v1alpha1', 'AuthorityRequirement', requirement),
  ].join('\n---\n');
}

/** An image that a key in the KMS signed, and the steps of a verification by that key under its URIs, an authority each. */
async function signedBy(
  t: TestContext,
  key: OwnedKey,
  uri: string,
  look: object = TEN_SECONDS,
  ...others: readonly string[]
) {
  const { activities, dependencies, registry, writeDocuments } = await createSetting(t);
  const policyRevision = await writeDocuments(policyOf(`${registry.address}/demo/**`, [uri, ...others], look));
  const target = { address: registry.address, repository: 'demo/app' };
  const digest = await pushImage(target, 'v1');
  const payload = encodeJson(cosignStatement(digest));
  const sig = await owner.sign(key, 'ECDSA_SHA_256', preAuthEncoding(STATEMENT_PAYLOAD_TYPE, payload));
  const bundle = encodeJson({
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: { publicKey: { hint: '' } },
    dsseEnvelope: {
      payload: Buffer.from(payload).toString('base64'),
      payloadType: STATEMENT_PAYLOAD_TYPE,
      signatures: [{ sig: Buffer.from(sig).toString('base64') }],
    },
  });
  const pushed = await pushBundle(target, digest, bundle);
  const evidence: SignatureReference = { format: 'bundle', place: 'referrers', source: {}, ...pushed };
  const image = { name: `${registry.address}/demo/app:v1`, digest, policyRevision };
  const authority = { policy: 'managed', authority: 'release', policyRevision };
  return {
    dependencies,
    checkKey: () => activities.checkKey(authority),
    async verify() {
      const check = await activities.checkKey(authority);
      assert.ok(check.usable, JSON.stringify(check));
      return await activities.verifySignature({
        ...{ ...authority, ...image, keyId: check.keyId, signatures: [evidence] },
      });
    },
    async signAllow() {
      const check = await activities.checkKey(authority);
      assert.ok(check.usable);
      const reasons: VerdictRequest['claim']['reasons'] = [{ code: 'SIGNATURE_VERIFIED', sentence: 'signed' }];
      const signers = [uri, ...others].map((_, i) => ({
        ...{ authority: `managed/${AUTHORITIES[i]}`, identity: `key sha256:${check.keyId}`, evidence: evidence.blob },
      }));
      const claim = { decisionId: '0123456789abc', ...image, outcome: 'allow', reasons, signers } as const;
      return (await activities.signVerdict({ claim, evidence: [evidence] })).verdict;
    },
  };
}

describe('an authority whose key lives in a KMS', () => {
  it('is known by its resource, its state and when that was asked for', async (t) => {
    const key = await owner.create('ECC_NIST_P256');
    const { checkKey, verify } = await signedBy(t, key, `awskms:///${key.id}`);
    const check = await checkKey();
    assert.ok(check.usable);
    assert.match(check.detail, /^ECDSA P-256, arn:aws:kms:[^ ]+, enabled, checked at 2\d{3}-\d\d-\d\dT[\d:.]+Z$/);
    assert.ok(check.detail.includes(key.arn));
    const outcome = await verify();
    assert.ok(outcome.satisfied);
    assert.equal(outcome.signers[0]?.identity, `key sha256:${check.keyId}`);
  });

  it('is no use once its owner disabled it, or scheduled it for deletion, and is again when that is undone', async (t) => {
    const key = await owner.create('ECC_NIST_P256');
    const steps = () => signedBy(t, key, `awskms:///${key.id}`);
    // Each has a worker of its own, which has not asked yet.
    const [first, second, third] = [await steps(), await steps(), await steps()];
    await owner.disable(key);
    const disabled = await first.checkKey();
    assert.ok(!disabled.usable);
    assert.equal(disabled.code, 'KEY_DISABLED');
    assert.ok(disabled.sentence.includes(key.arn), disabled.sentence);
    await owner.enable(key);
    await owner.scheduleDeletion(key);
    const deleted = await second.checkKey();
    assert.equal(!deleted.usable && deleted.code, 'KEY_PENDING_DELETION');
    await owner.cancelDeletion(key);
    await owner.enable(key);
    assert.equal((await third.verify()).satisfied, true);
  });

  it('refuses a signature by another key where its own key never changed', async (t) => {
    const [key, other] = [await owner.create('ECC_NIST_P256'), await owner.create('ECC_NIST_P256')];
    const outcome = await (await signedBy(t, key, `awskms:///${other.id}`)).verify();
    assert.ok(!outcome.satisfied);
    assert.deepEqual(
      outcome.rejected.map(({ code }) => code),
      ['SIGNATURE_INVALID'],
    );
  });

  it('signs nothing while the KMS of a claimed signer can not be asked, and the failure is retried', async (t) => {
    const key = await owner.create('ECC_NIST_P256');
    const { signAllow, dependencies } = await signedBy(
      t,
      key,
      `awskms:///${key.id}`,
      TEN_SECONDS,
      `awskms:///${key.arn}`,
    );
    assert.equal((await signAllow()).signers.length, 2);
    const { keys } = dependencies;
    const down: typeof keys = {
      ...keys,
      async check(reference, ...rest) {
        if (!reference.uri.includes('arn:')) return await keys.check(reference, ...rest);
        throw new EvidenceError('KMS_UNREACHABLE', 'no connection', { retryable: true });
      },
    };
    Object.assign(dependencies, { keys: down });
    await assert.rejects(signAllow(), (error) => {
      assert.ok(error instanceof ApplicationFailure);
      assert.deepEqual([error.type, error.nonRetryable], ['KMS_UNREACHABLE', false]);
      return true;
    });
  });

  it('gives no verdict that outlives its state', async (t) => {
    const key = await owner.create('ECC_NIST_P256');
    const short = await (await signedBy(t, key, `awskms:///${key.id}`)).signAllow();
    const lifeOf = ({ decidedAt, expiresAt }: typeof short) => Date.parse(expiresAt) - Date.parse(decidedAt);
    assert.equal(lifeOf(short), 10_000);
    const usual = await (await signedBy(t, key, `awskms:///${key.id}`, { verification: 'local' })).signAllow();
    assert.ok(lifeOf(usual) > 10_000 && lifeOf(usual) <= 300_000, `${lifeOf(usual)} ms`);
  });

  it('gives no verdict the life of a state by which it was not proven', async (t) => {
    const key = await owner.create('ECC_NIST_P256');
    const { dependencies, checkKey, signAllow } = await signedBy(t, key, `awskms:///${key.id}`, {
      verification: 'local',
    });
    await checkKey();
    const { keys } = dependencies;
    let asked = 0;
    // Old when the allow is proven, and asked for afresh right after that: by then its owner may have disabled it.
    const aging: typeof keys = {
      ...keys,
      async check(...question) {
        const checked = await keys.check(...question);
        return ++asked > 2 ? checked : { ...checked, checkedAt: Date.now() - 299_000 };
      },
    };
    Object.assign(dependencies, { keys: aging });
    const { decidedAt, expiresAt } = await signAllow();
    assert.equal(asked, 2, 'once to check the key, once to prove the allow');
    assert.equal(Date.parse(expiresAt) - Date.parse(decidedAt), 10_000);
  });

  it('has the KMS itself verify where the policy says so', async (t) => {
    const key = await owner.create('ECC_NIST_P256');
    const asked = () => kms.calls.filter(({ operation }) => operation === 'Verify').length;
    const before = asked();
    await (await signedBy(t, key, `awskms:///${key.id}`)).verify();
    assert.equal(asked(), before);
    const remote = await signedBy(t, key, `awskms:///${key.id}`, { verification: 'remote' });
    assert.equal((await remote.verify()).satisfied, true);
    assert.equal(asked(), before + 1);
    // Another worker, which keeps no proof of it yet.
    const denied = await signedBy(t, key, `awskms:///${key.id}`, { verification: 'remote' });
    kms.denied.add('kms:Verify');
    t.after(() => kms.denied.clear());
    await assert.rejects(denied.verify(), (error) => {
      assert.ok(error instanceof ApplicationFailure);
      assert.equal(error.type, 'KMS_ACCESS_DENIED');
      return true;
    });
  });

  it('is told as changed when its alias means another key than before', async (t) => {
    const [key, other] = [await owner.create('ECC_NIST_P256'), await owner.create('ECC_NIST_P256')];
    await owner.name('alias/moving', key);
    const { verify } = await signedBy(t, key, 'awskms:///alias/moving');
    assert.equal((await verify()).satisfied, true);
    await owner.rename('alias/moving', other);
    await new Promise((resolve) => setTimeout(resolve, 10_100));
    const outcome = await verify();
    assert.ok(!outcome.satisfied);
    assert.equal(outcome.rejected[0]?.code, 'KEY_CHANGED');
    assert.match(
      outcome.rejected[0]?.sentence ?? '',
      /alias\/moving means .*, and meant .*: the signature does not hold/,
    );
  });

  it('is inconclusive while the KMS throttles, and goes on by its last state where the policy allows that', async (t) => {
    const key = await owner.create('ECC_NIST_P256');
    const strict = await signedBy(t, key, `awskms:///${key.id}`);
    const lenient = await signedBy(t, key, `awskms:///${key.id}`, {
      ...TEN_SECONDS,
      whenUnreachable: { allowFor: '1h' },
    });
    assert.equal((await strict.verify()).satisfied, true);
    assert.equal((await lenient.verify()).satisfied, true);
    await new Promise((resolve) => setTimeout(resolve, 10_100));
    kms.fault = () => ({ kind: 'error', type: 'ThrottlingException', status: 400 });
    t.after(() => {
      kms.fault = undefined;
    });
    await assert.rejects(strict.checkKey(), (error) => {
      assert.ok(error instanceof ApplicationFailure);
      assert.deepEqual([error.type, error.nonRetryable], ['KMS_THROTTLED', false]);
      return true;
    });
    const check = await lenient.checkKey();
    assert.equal(check.usable, true);
  });
});
