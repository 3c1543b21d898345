import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
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

  it('set the mode of a file of ours, whatever it had, also where the content is there', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'shim.env');
    await writeFile(path, 'TEMPORAL_API_KEY=old\n');
    for (const [content, mode] of [
      ['TEMPORAL_API_KEY=new\n', 0o644],
      ['TEMPORAL_API_KEY=new\n', 0o640],
    ] as const) {
      await chmod(path, mode);
      const change = needed(path, content, 0o600);
      assert.doesNotMatch(diffOf({ ...change, secret: true }), /API_KEY/);
      applyAll([change]);
      assert.equal((await stat(path)).mode & 0o7777, 0o600);
    }
    await chown(path, 65_534, 65_534);
    applyAll([needed(path, 'TEMPORAL_API_KEY=new\n', 0o600)]);
    assert.deepEqual([(await stat(path)).uid, changeOf(path, 'TEMPORAL_API_KEY=new\n', 0o600)], [0, undefined]);
  });

  it('take write permission of others from a file of others, and leave them the rest', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'config.toml');
    await writeFile(path, 'was');
    await chmod(path, 0o664);
    applyAll([needed(path, 'is')]);
    assert.equal((await stat(path)).mode & 0o7777, 0o644);
  });

  it('are not made in a folder that another user may change', async () => {
    await using folder = await temporaryFolder();
    const theirs = join(folder.path, 'theirs');
    await mkdir(theirs);
    await chown(theirs, 65_534, 65_534);
    assert.throws(() => applyAll([needed(join(theirs, 'a'), 'x')]), /expected .*theirs to be owned by root/);
    assert.deepEqual(await readdir(theirs), []);
  });
});
