import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { DEFAULT_EVIDENCE_BYTES } from '../../activities/limits.ts';
import type { SignatureReference } from '../../workflows/activities.ts';
import type { Digest } from '../../workflows/format/digest.ts';
import { BUNDLE, pushBlob, pushBundle, pushImage, pushReferrer } from '../support/registry-push.ts';
import { cosignBundle, createSigningKey } from '../support/signer.ts';
import { digestOf } from '../support/verdicts.ts';
import { createSetting } from './setting.ts';

const release = createSigningKey('ECDSA P-256');
const stranger = createSigningKey('ECDSA P-256');
const PIECES = 12;

/** Seven MiB that say to be a bundle and are names of fields: what a parser takes a second for. */
const NAMES = Array.from({ length: 900_000 }, (_, i) => `"${i.toString(36)}":0`).join(',');
const expensive = (which: number) => Buffer.from(`{"which":${which},${NAMES}}`);

/** An image with junk beside it, a worker that remembers as in production, and one that holds no bytes: each judgement reads them again. */
async function prepare(t: TestContext) {
  const setting = await createSetting(t, 0);
  const policyRevision = await setting.writePolicies({ demo: [release] });
  const image = await setting.pushSigned();
  const target = { address: setting.registry.address, repository: 'demo/app' };
  const add = async (bundle: Uint8Array): Promise<SignatureReference> => {
    return { format: 'bundle', place: 'referrers', source: {}, ...(await pushBundle(target, image.digest, bundle)) };
  };
  const { keyId } = release;
  const asked = { policyRevision, policy: 'demo', authority: 'key-0', keyId, name: image.name, digest: image.digest };
  const readsOf = () =>
    setting.registry.requests.filter(({ method, path }) => method === 'GET' && path.includes('/blobs/')).length;
  return { ...setting, asked, add, readsOf };
}

describe('junk beside an image', () => {
  it('is judged once, however often the check is retried, and by whichever activity', async (t) => {
    const { activities, asked, add, readsOf } = await prepare(t);
    const signatures: SignatureReference[] = [];
    for (let i = 0; i < PIECES; i++) signatures.push(await add(cosignBundle(stranger, asked.digest)));
    const first = await activities.verifySignature({ ...asked, signatures });
    assert.ok(!first.satisfied);
    assert.deepEqual(new Set(first.rejected.map(({ code }) => code)), new Set(['WRONG_KEY']));
    const after = readsOf();
    assert.ok(after >= PIECES, `${after} reads`);
    for (let attempt = 0; attempt < 3; attempt++) {
      assert.deepEqual(await activities.verifySignature({ ...asked, signatures }), first);
    }
    assert.equal(readsOf(), after, 'nothing is read again');
    signatures.push(await add(cosignBundle(release, asked.digest)));
    const signed = await activities.verifySignature({ ...asked, signatures });
    assert.equal(signed.satisfied, true);
    assert.equal(readsOf(), after + 1, 'only what is new');
  });

  it('never reaches a parser of the main thread, and is named', async (t) => {
    const { activities, asked, add } = await prepare(t);
    const signatures: SignatureReference[] = [];
    for (let i = 0; i < 4; i++) signatures.push(await add(expensive(i)));
    signatures.push(await add(cosignBundle(release, asked.digest)));
    const parse = t.mock.method(JSON, 'parse');
    const outcome = await activities.verifySignature({ ...asked, signatures });
    const longest = Math.max(0, ...parse.mock.calls.map(({ arguments: [text] }) => String(text).length));
    parse.mock.restore();
    assert.equal(outcome.satisfied, true);
    assert.ok(longest < 100_000, `${longest} characters were parsed at once`);
    const junk = await activities.verifySignature({ ...asked, signatures: signatures.slice(0, 4) });
    assert.ok(!junk.satisfied);
    assert.deepEqual(
      junk.rejected.map(({ code }) => code),
      Array.from({ length: 4 }, () => 'EVIDENCE_TOO_LARGE'),
    );
    assert.match(junk.rejected[0]?.sentence ?? '', /more than 10000 values and names/);
  });

  it('is not read by each pull when it is large: only that it is there is asked', async (t) => {
    const { activities, asked, add, readsOf, registry } = await prepare(t);
    const pieces = [await add(expensive(1)), await add(expensive(2)), await add(cosignBundle(release, asked.digest))];
    const { name, digest, policyRevision } = asked;
    const before = readsOf();
    const found = await activities.fetchSignatures({ name, digest, policyRevision, source: {} });
    assert.deepEqual(found.signatures.map(({ blob }) => blob).toSorted(), pieces.map(({ blob }) => blob).toSorted());
    assert.deepEqual(found.unreadable, []);
    assert.equal(readsOf() - before, 1, 'the signature');
    const heads = registry.requests.filter(({ method, path }) => method === 'HEAD' && path.includes('/blobs/'));
    assert.equal(heads.length, 2);
  });

  it('is named when it is larger than its manifest says, or not there, and hides nothing', async (t) => {
    const { activities, asked, add, registry } = await prepare(t);
    const target = { address: registry.address, repository: 'demo/app' };
    const liar = await pushBlob(target, expensive(1));
    const good = await add(cosignBundle(release, asked.digest));
    const layerOf = (blob: Digest, size: number) => [{ mediaType: BUNDLE, digest: blob, size }];
    await pushReferrer(target, asked.digest, { artifactType: BUNDLE, layers: layerOf(liar, 1_000) });
    await pushReferrer(target, asked.digest, { artifactType: BUNDLE, layers: layerOf(digestOf('ee'), 9_000_000) });
    const { name, digest, policyRevision } = asked;
    const found = await activities.fetchSignatures({ name, digest, policyRevision, source: {} });
    assert.deepEqual(
      found.signatures.map(({ blob }) => blob),
      [good.blob],
    );
    assert.deepEqual(
      found.unreadable.map(({ code }) => code),
      ['EVIDENCE_TOO_LARGE'],
    );
    assert.deepEqual(
      found.unavailable?.map(({ code, retryable }) => [code, retryable]),
      [['EVIDENCE_NOT_SERVED', true]],
    );
    assert.equal((await activities.verifySignature({ ...asked, signatures: found.signatures })).satisfied, true);
  });

  it('is read once when its manifest is large, and hides nothing', async (t) => {
    const { activities, asked, add, registry } = await prepare(t);
    const target = { address: registry.address, repository: 'demo/app' };
    const annotations = { filler: 'x'.repeat(600_000) };
    const layers = [
      { mediaType: BUNDLE, digest: await pushBlob(target, cosignBundle(stranger, asked.digest)), size: 900 },
    ];
    const manifest = await pushReferrer(target, asked.digest, { artifactType: BUNDLE, layers, annotations });
    const good = await add(cosignBundle(release, asked.digest));
    const { name, digest, policyRevision } = asked;
    const reads = () =>
      registry.requests.filter(({ method, path }) => method === 'GET' && path.endsWith(manifest)).length;
    for (let pull = 0; pull < 3; pull++) {
      const found = await activities.fetchSignatures({ name, digest, policyRevision, source: {} });
      assert.equal(found.signatures.length, 2);
      assert.ok(found.signatures.some(({ blob }) => blob === good.blob));
    }
    assert.equal(reads(), 1);
  });

  it('is judged once for all the images that it is put beside, and what is about one image is judged for each', async (t) => {
    const { activities, asked, add, readsOf, registry } = await prepare(t);
    const target = { address: registry.address, repository: 'demo/app' };
    const junk = await add(expensive(1));
    const good = await add(cosignBundle(release, asked.digest));
    const first = await activities.verifySignature({ ...asked, signatures: [junk, good] });
    assert.equal(first.satisfied, true);
    const other = await pushImage(target, 'v2');
    const before = readsOf();
    const second = await activities.verifySignature({ ...asked, digest: other, signatures: [junk, good] });
    assert.ok(!second.satisfied);
    const codes = second.rejected.map(({ code }) => code);
    assert.deepEqual(codes, ['EVIDENCE_TOO_LARGE', 'SUBJECT_MISMATCH']);
    assert.equal(readsOf() - before, 1, 'the signature of the other image alone');
  });

  it('is no inability when it is larger than any evidence, or its bytes do not arrive', async (t) => {
    const { activities, asked, add, registry } = await prepare(t);
    const target = { address: registry.address, repository: 'demo/app' };
    const huge = await pushBlob(target, Buffer.alloc(DEFAULT_EVIDENCE_BYTES + 1, 0x20));
    const gone = digestOf('ee');
    const good = await add(cosignBundle(release, asked.digest));
    const junk = [huge, gone].map((blob): SignatureReference => {
      return { format: 'bundle', place: 'referrers', source: {}, manifest: good.manifest, blob };
    });
    const outcome = await activities.verifySignature({ ...asked, signatures: [...junk, good] });
    assert.equal(outcome.satisfied, true);
    const alone = await activities.verifySignature({ ...asked, signatures: junk.slice(0, 1) });
    assert.ok(!alone.satisfied);
    assert.equal(alone.rejected[0]?.code, 'EVIDENCE_TOO_LARGE');
    await assert.rejects(activities.verifySignature({ ...asked, signatures: junk }), (error) => {
      assert.ok(error instanceof ApplicationFailure);
      assert.deepEqual([error.type, error.nonRetryable], ['EVIDENCE_NOT_SERVED', false]);
      return true;
    });
  });
});
