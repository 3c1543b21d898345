import assert from 'node:assert/strict';
import { createHash, createPublicKey } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { keysInitCommand } from '../../../activities/cli/keys-init.ts';
import { openVerdictKey } from '../../../activities/verdict-key/open.ts';
import { loadVerdictKeys } from '../../../shim/verdict-keys/key-files.ts';
import { KmsOwner, kmsEnvironment } from '../../support/kms/owner.ts';
import { type FakeKms, startKms } from '../../support/kms/server.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

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
  kms.denied.clear();
});

const uriOf = async (spec: string) => `awskms:///${(await owner.create(spec)).arn}`;

describe('the verdict key of a worker', () => {
  it('may be the URI of a key in a KMS, and is a file otherwise', async () => {
    const { keyId, publicKey } = await openVerdictKey(await uriOf('ECC_NIST_P256'));
    const spki = publicKey.export({ type: 'spki', format: 'der' });
    assert.equal(keyId, createHash('sha256').update(spki).digest('hex'));
    await assert.rejects(openVerdictKey('/nonexistent/verdict.key'), { message: /found ENOENT; make a key with/ });
  });

  const problems: readonly [string, () => Promise<string>, RegExp][] = [
    ['a URI of another scheme', async () => 'k8s://ns/secret', /^verdict key: expected a key URI that begins with/],
    ['a URI that is cut off', async () => 'awskms:alias', /^verdict key: expected a key URI/],
    ['another kind of key', () => uriOf('RSA_2048'), /^verdict key: KEY_UNSUITABLE: .* is RSA 2048; name another key$/],
    ['a key that is not there', async () => 'awskms:///alias/nobody', /^verdict key: KEY_NOT_FOUND: /],
    [
      'a key that may not be used',
      async () => {
        kms.denied.add('kms:Sign');
        return uriOf('ECC_NIST_P256');
      },
      /^verdict key: KMS_ACCESS_DENIED: .*kms:Sign/,
    ],
    [
      'a service that throttles',
      async () => {
        const uri = await uriOf('ECC_NIST_P256');
        kms.fault = () => ({ kind: 'error', type: 'ThrottlingException' });
        return uri;
      },
      /^verdict key: KMS_THROTTLED: .*; start again when the service answers$/,
    ],
  ];
  for (const [what, make, message] of problems) {
    it(`is not ${what}, in one line that says what to do and no secret`, async () => {
      const uri = await make();
      const error = await openVerdictKey(uri).then(
        () => assert.fail('opened'),
        (reason: unknown) => String(reason instanceof Error ? reason.message : reason),
      );
      assert.match(error, message);
      assert.doesNotMatch(error, /not-a-secret|\n/);
    });
  }
});

describe('keys init --kms', () => {
  it('writes the public key alone, which nodes believe', async (t) => {
    await using folder = await temporaryFolder();
    const said = t.mock.method(console, 'log', () => {});
    const uri = await uriOf('ECC_NIST_P256');
    assert.equal(await keysInitCommand.run(['--kms', uri, folder.path]), 0);
    assert.deepEqual(await readdir(folder.path), ['verdict.pub']);
    assert.deepEqual(said.mock.calls[0]?.arguments, [join(folder.path, 'verdict.pub')]);
    const { keyId } = await openVerdictKey(uri);
    assert.deepEqual([...(await loadVerdictKeys(folder.path)).keys()], [keyId]);
    assert.equal(createPublicKey(await readFile(join(folder.path, 'verdict.pub'))).asymmetricKeyType, 'ec');
  });

  it('overwrites nothing, and then asks nobody', async () => {
    await using folder = await temporaryFolder();
    await writeFile(join(folder.path, 'verdict.pub'), 'precious');
    const uri = await uriOf('ECC_NIST_P256');
    const asked = kms.asked.length;
    await assert.rejects(keysInitCommand.run(['--kms', uri, folder.path]), { message: /is there already/ });
    assert.equal(kms.asked.length, asked);
    assert.equal(await readFile(join(folder.path, 'verdict.pub'), 'utf8'), 'precious');
  });

  it('writes nothing for a key that verdicts can not be signed with', async () => {
    await using folder = await temporaryFolder();
    const uri = await uriOf('ECC_NIST_P384');
    await assert.rejects(keysInitCommand.run(['--kms', uri, folder.path]), { message: /KEY_UNSUITABLE/ });
    assert.deepEqual(await readdir(folder.path), []);
  });
});
