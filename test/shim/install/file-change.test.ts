import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { applyAll, changeOf, diffOf, type FileChange } from '../../../shim/install/file-change.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

function needed(path: string, after: string | undefined, mode?: number): FileChange {
  const change = changeOf(path, after, mode);
  assert.ok(change !== undefined);
  return change;
}

describe('changes of files', () => {
  it('are none where the content is there, and are shown as a diff, but for secrets', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'a');
    await writeFile(path, 'one\ntwo\n');
    assert.equal(changeOf(path, 'one\ntwo\n'), undefined);
    assert.match(diffOf(needed(path, 'one\nthree\n')), /^--- .*a\n\+\+\+ .*a\n@@ .*\n one\n-two\n\+three\n$/);
    assert.match(diffOf(needed(path, undefined)), /\+\+\+ \/dev\/null\n/);
    const secret = diffOf({ ...needed(path, 'API_KEY=secret\n'), secret: true });
    assert.doesNotMatch(secret, /secret\n|API_KEY|two/);
  });

  it('are all made or none, keep the rights of what was there, and are taken back', async () => {
    await using folder = await temporaryFolder();
    const [old, gone, fresh] = ['old', 'gone', 'sub/fresh'].map((name) => join(folder.path, name));
    assert.ok(old !== undefined && gone !== undefined && fresh !== undefined);
    await writeFile(old, 'was');
    await chmod(old, 0o640);
    await writeFile(gone, 'goes');
    const takeBack = applyAll([needed(old, 'is'), needed(gone, undefined), needed(fresh, 'new', 0o600)]);
    assert.equal(await readFile(old, 'utf8'), 'is');
    assert.equal((await stat(old)).mode & 0o777, 0o640);
    assert.equal((await stat(fresh)).mode & 0o777, 0o600);
    assert.ok(!existsSync(gone));
    takeBack();
    assert.equal(await readFile(old, 'utf8'), 'was');
    assert.equal(await readFile(gone, 'utf8'), 'goes');
    assert.ok(!existsSync(fresh));

    await mkdir(join(folder.path, 'folder'));
    const impossible = { path: join(folder.path, 'folder'), before: undefined, after: 'x', mode: 0o644 };
    assert.throws(() => applyAll([needed(old, 'is'), impossible]));
    assert.equal(await readFile(old, 'utf8'), 'was');
    assert.deepEqual((await readdir(folder.path)).toSorted(), ['folder', 'gone', 'old', 'sub']);
  });

  it('are not made over what somebody changed meanwhile', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'a');
    await writeFile(path, 'one');
    const change = needed(path, 'two');
    await writeFile(path, 'theirs');
    assert.throws(() => applyAll([change]), /was changed while portcullis looked at it; run the command again/);
    assert.equal(await readFile(path, 'utf8'), 'theirs');
  });
});
