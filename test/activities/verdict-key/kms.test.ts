import assert from 'node:assert/strict';
import { createHash, createPublicKey } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { createAwsKeyManager } from '../../../activities/kms/aws/manager.ts';
import { createManagedVerdictKey } from '../../../activities/verdict-key/kms.ts';
import { loadVerdictKeys } from '../../../shim/verdict-keys/key-files.ts';
import { openEnvelope } from '../../../shim/verdict-keys/verdict-keys.ts';
import { KmsOwner, kmsEnvironment, type OwnedKey } from '../../support/kms/owner.ts';
import { type FakeKms, startKms } from '../../support/kms/server.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { codeOf, reference } from '../kms/aws-suite.ts';

const TYPE = 'application/vnd.example+json';
const managers = async () => createAwsKeyManager();

describe('a verdict key in KMS', () => {
  let kms: FakeKms;
  let owner: KmsOwner;
  before(async () => {
    kms = await startKms();
    Object.assign(process.env, kmsEnvironment(kms.url));
    owner = new KmsOwner(kms.url);
  });
  after(async () => {
    owner.close();
    await kms.stop();
  });
  beforeEach(() => {
    kms.fault = undefined;
  });

  const spkiOf = ({ id }: OwnedKey) => {
    const key = kms.store.find(id);
    return createPublicKey(key.privateKey).export({ type: 'spki', format: 'der' });
  };
  const make = (name: string) => createManagedVerdictKey(reference(`awskms:///${name}`), managers);

  it('signs what a node opens with its public key, and names itself by it', async () => {
    const key = await owner.create('ECC_NIST_P256');
    const verdictKey = await make(key.arn);
    assert.equal(verdictKey.keyId, createHash('sha256').update(spkiOf(key)).digest('hex'));
    const long = { verdict: 'x'.repeat(100_000) };
    const envelope = await verdictKey.sign(TYPE, Buffer.from(JSON.stringify(long)));
    await using folder = await temporaryFolder();
    const pem = createPublicKey({ key: spkiOf(key), format: 'der', type: 'spki' }).export({
      type: 'spki',
      format: 'pem',
    });
    await writeFile(join(folder.path, 'kms.pub'), pem);
    const keys = await loadVerdictKeys(folder.path);
    assert.deepEqual(openEnvelope(envelope, TYPE, keys)?.content, long);
    assert.equal(openEnvelope(envelope, 'another/type', keys), undefined);
  });

  for (const spec of ['ECC_NIST_P384', 'RSA_2048']) {
    it(`is not one of ${spec}, which nodes don't accept`, async () => {
      assert.equal(await codeOf(make((await owner.create(spec)).arn)), 'KEY_UNSUITABLE');
    });
  }

  it('is not an Ed25519 key, because KMS takes at most 4096 bytes for one', async () => {
    const key = await owner.create('ECC_NIST_EDWARDS25519');
    await assert.rejects(make(key.arn), /takes at most 4096 bytes .* found 8192; use an ECDSA or RSA key$/);
  });

  it('that is not there, or disabled, keeps a worker from starting', async () => {
    assert.equal(await codeOf(make('alias/nobody')), 'KEY_NOT_FOUND');
    const key = await owner.create('ECC_NIST_P256');
    await owner.disable(key);
    assert.equal(await codeOf(make(key.arn)), 'KEY_DISABLED');
  });

  it('that is disabled later does not sign, which says nothing about an image', async () => {
    const key = await owner.create('ECC_NIST_P256');
    const verdictKey = await make(key.arn);
    await owner.disable(key);
    assert.equal(await codeOf(verdictKey.sign(TYPE, Buffer.from('{}'))), 'KEY_UNREADABLE');
    kms.fault = () => ({ kind: 'error', type: 'ThrottlingException' });
    assert.equal(await codeOf(verdictKey.sign(TYPE, Buffer.from('{}'))), 'KMS_THROTTLED');
  });

  it('stays the same key when its alias moves', async () => {
    const [one, other] = [await owner.create('ECC_NIST_P256'), await owner.create('ECC_NIST_P256')];
    await owner.name('alias/verdict', one);
    const verdictKey = await make('alias/verdict');
    await owner.rename('alias/verdict', other);
    const envelope = await verdictKey.sign(TYPE, Buffer.from('{}'));
    assert.equal(envelope.signatures[0]?.keyid, verdictKey.keyId);
    assert.equal((await make('alias/verdict')).keyId, createHash('sha256').update(spkiOf(other)).digest('hex'));
  });

  it('gives away no signature that does not hold', async () => {
    const verdictKey = await make((await owner.create('ECC_NIST_P256')).arn);
    for (const Signature of ['AAAA', '', Buffer.alloc(70, 1).toString('base64')]) {
      kms.fault = () => ({ kind: 'change', change: (answer) => ({ ...answer, Signature }) });
      assert.equal(await codeOf(verdictKey.sign(TYPE, Buffer.from('{}'))), 'KMS_MISBEHAVED');
    }
  });
});
