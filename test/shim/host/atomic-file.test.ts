import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { replaceFile } from '../../../shim/host/atomic-file.ts';
import { readState } from '../../../shim/host/read-state.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

describe('a file that is replaced in one step', () => {
  it('holds the new content, and nothing stays beside it', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'file');
    for (const content of ['former', 'new']) replaceFile(path, content);
    const read = readState(path, 3);
    assert.equal(read.kind === 'content' && read.bytes.toString(), 'new');
    assert.deepEqual(readdirSync(folder.path), ['file']);
    assert.equal(readState(path, 2).kind, 'unreadable');
  });

  it('holds the former content when the disk does not take the new one, and nothing stays beside it', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'file');
    replaceFile(path, 'former');
    const program = `const { replaceFile } = await import(process.argv[1]); replaceFile(process.argv[2], 'x'.repeat(100_000));`;
    const module = fileURLToPath(new URL('../../../shim/host/atomic-file.ts', import.meta.url));
    // A limit on the size of files cuts a write short as a full disk does.
    const words = ['-c', 'ulimit -f 1; exec "$0" -e "$1" "$2" "$3"', process.execPath, program, module, path];
    const { status, stderr } = spawnSync('sh', words, { encoding: 'utf8' });
    assert.equal(status, 1);
    assert.match(stderr, /the disk did not take all of it/);
    assert.deepEqual([readFileSync(path, 'utf8'), readdirSync(folder.path)], ['former', ['file']]);
  });

  it('does not write through a link that another user put there, at the path or at the usual name of a draft', async () => {
    await using folder = await temporaryFolder();
    const [victim, path] = [join(folder.path, 'victim'), join(folder.path, 'policy-head.json')];
    writeFileSync(victim, 'precious');
    for (const link of [path, `${path}.new`, `${path}.${process.pid}.new`]) symlinkSync(victim, link);
    replaceFile(path, 'new');
    assert.deepEqual([readFileSync(victim, 'utf8'), readFileSync(path, 'utf8')], ['precious', 'new']);
    assert.ok(lstatSync(path).isFile());
  });

  it('gets the mode that is asked for, whatever the umask is and whatever it had', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'file');
    const mask = process.umask(0o077);
    try {
      replaceFile(path, 'for all to read', 0o644);
      assert.equal(statSync(path).mode & 0o7777, 0o644);
      process.umask(0);
      chmodSync(path, 0o666);
      replaceFile(path, 'a secret');
      assert.equal(statSync(path).mode & 0o7777, 0o600);
    } finally {
      process.umask(mask);
    }
  });

  it('takes away the drafts of processes that were killed, and no other file', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'file');
    const [abandoned, young, other] = [`${path}.${'0'.repeat(16)}.new`, `${path}.${'1'.repeat(16)}.new`, `${path}.new`];
    for (const one of [abandoned, young, other]) writeFileSync(one, '');
    for (const one of [abandoned, other]) utimesSync(one, 1, 1);
    replaceFile(path, 'content');
    assert.deepEqual(readdirSync(folder.path), ['file', `file.${'1'.repeat(16)}.new`, 'file.new']);
  });

  it('is not read through a link, nor waited for when it is a named pipe', async () => {
    await using folder = await temporaryFolder();
    const [path, link, pipe] = ['file', 'link', 'pipe'].map((name) => join(folder.path, name));
    assert.ok(path && link && pipe);
    replaceFile(path, 'content');
    symlinkSync(path, link);
    assert.equal(spawnSync('mkfifo', [pipe]).status, 0);
    const [read, ...others] = [path, link, pipe].map((one) => readState(one, 100));
    assert.equal(read?.kind === 'content' && read.bytes.toString(), 'content');
    assert.deepEqual(
      others.map(({ kind }) => kind),
      ['unreadable', 'unreadable'],
    );
  });
});
