import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { chmod, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { keysInitCommand } from '../../../activities/cli/keys-init.ts';
import { createVerdictKey, loadVerdictKey } from '../../../activities/verdict-key/verdict-key.ts';
import { loadVerdictKeys } from '../../../shim/verdict-keys/key-files.ts';
import { openEnvelope } from '../../../shim/verdict-keys/verdict-keys.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const TYPE = 'application/json';
const PAYLOAD = new TextEncoder().encode('{"allowed":false}');
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Each line of base64 in a PEM, whole and in part: nothing of it may be told. */
function linesOf(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => (line.length < 12 || line.startsWith('-') ? [] : [line.slice(0, 12)]));
}

describe('a verdict key', () => {
  for (const [kind, pair] of [
    ['ECDSA P-256', p256],
    ['Ed25519', generateKeyPairSync('ed25519')],
  ] as const) {
    it(`of ${kind} signs what a node opens`, async () => {
      await using folder = await temporaryFolder();
      const [file, publicFile] = [join(folder.path, 'verdict.key'), join(folder.path, 'verdict.pub')];
      await writeFile(file, pem(pair.privateKey), { mode: 0o600 });
      await writeFile(publicFile, pair.publicKey.export({ type: 'spki', format: 'pem' }));
      const key = await loadVerdictKey(file);
      const keys = await loadVerdictKeys(publicFile);
      assert.deepEqual([...keys.keys()], [key.keyId]);
      const envelope = await key.sign(TYPE, PAYLOAD);
      assert.deepEqual(openEnvelope(envelope, TYPE, keys)?.content, { allowed: false });
      const bent = { ...envelope, payload: Buffer.from('{"allowed":true}').toString('base64') };
      assert.equal(openEnvelope(bent, TYPE, keys), undefined);
      assert.equal(openEnvelope({ ...envelope, payloadType: 'text/plain' }, 'text/plain', keys), undefined);
    });
  }

  it('may be a SEC1 key too, as openssl writes it', async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, 'verdict.key');
    await writeFile(file, p256.privateKey.export({ type: 'sec1', format: 'pem' }), { mode: 0o400 });
    assert.match((await loadVerdictKey(file)).keyId, /^[0-9a-f]{64}$/);
  });

  for (const mode of [0o640, 0o604, 0o620, 0o601, 0o777]) {
    it(`is refused with mode ${mode.toString(8)}`, async () => {
      await using folder = await temporaryFolder();
      const file = join(folder.path, 'verdict.key');
      await writeFile(file, pem(p256.privateKey));
      await chmod(file, mode);
      await assert.rejects(loadVerdictKey(file), {
        message: `verdict key: expected ${file} to be readable by its owner only, found mode ${mode.toString(8)}; run chmod 600 ${file}`,
      });
    });
  }

  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const refused: readonly [string, string, RegExp][] = [
    ['an RSA key', pem(rsa.privateKey), /found another kind of key \(rsa\)/],
    ['a key of another curve', pem(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey), /\(ec\)/],
    [
      'an encrypted key',
      p256.privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'hunter2' }).toString(),
      /expected an unencrypted PEM private key.*found none/,
    ],
    ['a public key', p256.publicKey.export({ type: 'spki', format: 'pem' }).toString(), /found none/],
    ['a key that is cut off', pem(p256.privateKey).slice(0, 120), /found none/],
    ['nothing', '', /found none/],
    ['garbage', '\u0000\u0001garbage garbage', /found none/],
    ['more than a key', pem(p256.privateKey) + 'x'.repeat(20_000), /expected at most 16384 bytes/],
  ];
  for (const [what, content, sentence] of refused) {
    it(`is refused when the file holds ${what}, in one line that quotes nothing of it`, async () => {
      await using folder = await temporaryFolder();
      const file = join(folder.path, 'verdict.key');
      await writeFile(file, content, { mode: 0o600 });
      await assert.rejects(loadVerdictKey(file), (error) => {
        assert.ok(error instanceof Error);
        assert.match(error.message, sentence);
        assert.match(error.message, /^verdict key: expected [^\n]+$/);
        assert.ok(error.message.includes(file));
        for (const line of linesOf(content)) assert.ok(!`${error.stack}`.includes(line), line);
        return true;
      });
    });
  }

  it('is refused when there is no file, or something else in its place', async () => {
    await using folder = await temporaryFolder();
    const absent = join(folder.path, 'verdict.key');
    const message = `verdict key: expected to read ${absent}, found ENOENT; make a key with "portcullis keys init"`;
    await assert.rejects(loadVerdictKey(absent), { message });
    await mkdir(join(folder.path, 'folder'));
    await assert.rejects(loadVerdictKey(join(folder.path, 'folder')), { message: /expected a file at/ });
    execFileSync('mkfifo', [join(folder.path, 'pipe')]);
    await assert.rejects(loadVerdictKey(join(folder.path, 'pipe')), { message: /expected a file at/ });
    await symlink('/dev/zero', join(folder.path, 'zero'));
    await assert.rejects(loadVerdictKey(join(folder.path, 'zero')), { message: /expected a file at/ });
  });
});

describe('keys init', () => {
  it('makes a pair that worker and node take, and tells where it is', async (t) => {
    await using folder = await temporaryFolder();
    const directory = join(folder.path, 'keys');
    const said = t.mock.method(console, 'log', () => {});
    assert.equal(await keysInitCommand.run([directory]), 0);
    const [privateFile, publicFile] = [join(directory, 'verdict.key'), join(directory, 'verdict.pub')];
    assert.deepEqual(said.mock.calls[0]?.arguments, [`${privateFile}\n${publicFile}`]);
    assert.equal((await stat(directory)).mode & 0o777, 0o700);
    assert.equal((await stat(privateFile)).mode & 0o777, 0o600);
    const { keyId } = await loadVerdictKey(privateFile);
    assert.deepEqual([...(await loadVerdictKeys(directory)).keys()], [keyId]);
  });

  for (const there of ['verdict.key', 'verdict.pub']) {
    it(`leaves a ${there} that is there as it is, and writes nothing beside it`, async () => {
      await using folder = await temporaryFolder();
      const file = join(folder.path, there);
      await writeFile(file, 'precious');
      await assert.rejects(keysInitCommand.run([folder.path]), { message: /is there already and is left alone/ });
      assert.equal(await readFile(file, 'utf8'), 'precious');
      const other = join(folder.path, there === 'verdict.key' ? 'verdict.pub' : 'verdict.key');
      await assert.rejects(stat(other), { code: 'ENOENT' });
    });
  }

  it('never overwrites, however many make keys at once', async () => {
    await using folder = await temporaryFolder();
    const files = [join(folder.path, 'verdict.key'), join(folder.path, 'verdict.pub')] as const;
    const made = await Promise.allSettled(Array.from({ length: 8 }, () => createVerdictKey(...files)));
    assert.equal(made.filter(({ status }) => status === 'fulfilled').length, 1);
    const { keyId } = await loadVerdictKey(files[0]);
    assert.deepEqual([...(await loadVerdictKeys(files[1])).keys()], [keyId]);
  });

  it('wants one directory', async (t) => {
    const said = t.mock.method(console, 'error', () => {});
    assert.equal(await keysInitCommand.run([]), 2);
    assert.equal(await keysInitCommand.run(['a', 'b']), 2);
    assert.match(String(said.mock.calls[0]?.arguments[0]), /expected one DIR/);
  });
});
