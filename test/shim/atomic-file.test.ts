import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readSmallFile, replaceFile } from '../../shim/atomic-file.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

describe('a file that is replaced in one step', () => {
  it('holds the new content, and nothing stays beside it', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'file');
    for (const content of ['former', 'new']) replaceFile(path, content);
    assert.deepEqual([readSmallFile(path, 3), readdirSync(folder.path)], ['new', ['file']]);
    assert.equal(readSmallFile(path, 2), undefined);
  });

  it('holds the former content when the disk does not take the new one, and nothing stays beside it', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'file');
    replaceFile(path, 'former');
    const program = `const { replaceFile } = await import(process.argv[1]); replaceFile(process.argv[2], 'x'.repeat(100_000));`;
    const module = fileURLToPath(new URL('../../shim/atomic-file.ts', import.meta.url));
    // A limit on the size of files cuts a write short as a full disk does.
    const words = ['-c', 'ulimit -f 1; exec "$0" -e "$1" "$2" "$3"', process.execPath, program, module, path];
    const { status, stderr } = spawnSync('sh', words, { encoding: 'utf8' });
    assert.equal(status, 1);
    assert.match(stderr, /the disk did not take all of it/);
    assert.deepEqual([readFileSync(path, 'utf8'), readdirSync(folder.path)], ['former', ['file']]);
  });
});
