import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { loadVerdictKeys, readVerdictKeyFiles } from '../../../shim/verdict-keys/key-files.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { createTestVerdictKey } from '../../support/verdicts.ts';

const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString();
const [one, other] = [createTestVerdictKey(), createTestVerdictKey('ed25519')];
const END = '2031-01-31T12:00:00Z';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder[Symbol.asyncDispose]());

const put = (name: string, text: string | Uint8Array) => writeFile(join(folder.path, name), text);
const read = (name = '') => readVerdictKeyFiles(join(folder.path, name));

/** The ids that are believed, and the files that are not. */
async function found() {
  const { keys, refused } = await read();
  return { believed: [...keys.keys()], refused: refused.map(({ file }) => file.slice(folder.path.length + 1)) };
}

describe('the verdict keys of a folder', () => {
  it('are its *.pub files, each with the window beside it', async () => {
    await put('one.pub', pem(one.publicKey));
    await put('one.json', JSON.stringify({ notAfter: END }));
    await put('other.pub', pem(other.publicKey));
    await put('README', 'not a key');
    const { keys, refused } = await read();
    assert.deepEqual(refused, []);
    assert.equal(keys.size, 2);
    assert.equal(keys.get(one.keyId)?.window.notAfter, Date.parse(END));
    assert.equal(keys.get(one.keyId)?.file, 'one.pub');
    assert.equal(keys.get(other.keyId)?.window.notAfter, Number.POSITIVE_INFINITY);
  });

  it('may be one file, with its window', async () => {
    await put('one.pub', pem(one.publicKey));
    await put('one.json', JSON.stringify({ notAfter: END }));
    await put('stray.json', '{}');
    const { keys, refused } = await read('one.pub');
    assert.deepEqual([...keys.keys()], [one.keyId]);
    assert.equal(keys.get(one.keyId)?.window.notAfter, Date.parse(END));
    assert.deepEqual(refused, []);
  });

  it('have the narrower window where two files hold one key', async () => {
    await put('a.pub', pem(one.publicKey));
    await put('a.json', JSON.stringify({ notAfter: END }));
    await put('b.pub', pem(one.publicKey));
    const { keys } = await read();
    assert.equal(keys.size, 1);
    assert.equal(keys.get(one.keyId)?.window.notAfter, Date.parse(END));
  });

  const privateKey = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
  const broken: readonly [string, string | Uint8Array, RegExp][] = [
    ['garbage', Buffer.from([0, 255, 1]), /expected a PEM public key/],
    ['nothing', '', /expected a PEM public key/],
    ['half of a key', pem(one.publicKey).slice(0, 80), /expected a PEM public key/],
    ['a private key', privateKey.toString(), /holds a private key/],
    ['an RSA key', pem(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey), /found another kind \(rsa\)/],
    ['a P-384 key', pem(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey), /found another kind \(ec\)/],
    ['more than a key is', `${' '.repeat(20_000)}${pem(one.publicKey)}`, /expected at most 16384 bytes/],
  ];
  for (const [what, content, problem] of broken) {
    it(`are not refused for a file that holds ${what}; that one is, and none of it is told`, async () => {
      await put('broken.pub', content);
      await put('other.pub', pem(other.publicKey));
      const { keys, refused } = await read();
      assert.deepEqual([...keys.keys()], [other.keyId]);
      assert.match(refused[0]?.problem ?? '', problem);
      assert.ok(!JSON.stringify(refused).includes('BEGIN'));
    });
  }

  const windows: readonly [string, () => Promise<void>][] = [
    ['is no JSON', () => put('one.json', 'notAfter: tomorrow')],
    ['is larger than a window is', () => put('one.json', `{"notAfter": "${END}"}${' '.repeat(20_000)}`)],
    ['is a folder', async () => void (await mkdir(join(folder.path, 'one.json')))],
    ['is a link that leads nowhere', () => symlink('/nonexistent/window', join(folder.path, 'one.json'))],
    ['is a device without end', () => symlink('/dev/zero', join(folder.path, 'one.json'))],
    ['is a pipe', async () => void execFileSync('mkfifo', [join(folder.path, 'one.json')])],
  ];
  for (const [what, make] of windows) {
    it(`do not hold a key whose window ${what}`, async () => {
      await put('one.pub', pem(one.publicKey));
      await put('other.pub', pem(other.publicKey));
      await make();
      const { keys, refused } = await read();
      assert.deepEqual([...keys.keys()], [other.keyId]);
      assert.match(refused[0]?.problem ?? '', /one\.pub is not accepted/);
    });
  }

  it('tell of a window that belongs to no key, because it was meant for one', async () => {
    await put('one.pub', pem(one.publicKey));
    await put('one.pub.json', JSON.stringify({ notAfter: END }));
    assert.deepEqual(await found(), { believed: [one.keyId], refused: ['one.pub.json'] });
  });

  it('may be none, which is no error of the folder but leaves nothing to begin with', async () => {
    assert.deepEqual(await found(), { believed: [], refused: [] });
    await assert.rejects(loadVerdictKeys(folder.path), { message: /expected at least one \*\.pub file .*found none/ });
    await put('broken.pub', 'no key');
    await assert.rejects(loadVerdictKeys(folder.path), { message: /^verdict keys: expected a PEM public key in/ });
  });

  it('are not more than anybody needs, and not those of a path that is not there', async () => {
    for (let i = 0; i < 33; i++) await put(`${i}.pub`, pem(one.publicKey));
    await assert.rejects(read(), { message: /expected at most 32 \*\.pub files .*found 33; remove the old ones/ });
    for (let i = 0; i < 1_000; i++) await put(`${i}.txt`, '');
    await assert.rejects(read(), { message: /expected at most 1000 files .*found more; remove the old ones/ });
    await rm(folder.path, { recursive: true });
    await assert.rejects(read(), { code: 'ENOENT' });
  });
});
