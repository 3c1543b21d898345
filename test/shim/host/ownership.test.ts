import assert from 'node:assert/strict';
import { chmodSync, chownSync, lchownSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { distrustOf, othersMayChange, requireOwnFolder } from '../../../shim/host/ownership.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const NOBODY = 65_534;
const us = process.geteuid?.() ?? 0;

describe('rights on a file', () => {
  it('of root or of this user, without write permission for others, are enough', () => {
    for (const uid of [0, us]) assert.equal(othersMayChange('/x', { uid, mode: 0o100_755 }), undefined);
  });

  for (const mode of [0o775, 0o757, 0o777, 0o1777]) {
    it(`of mode ${mode.toString(8)} are not`, () => {
      assert.match(othersMayChange('/x', { uid: 0, mode: 0o40_000 | mode }) ?? '', /; run chmod go-w \/x$/);
    });
  }

  it('of another user are not, whatever the mode is', () => {
    assert.match(othersMayChange('/x', { uid: NOBODY, mode: 0o40_700 }) ?? '', /found user 65534; run chown root \/x$/);
  });
});

describe('a folder', () => {
  it('of this user is trusted in a sticky folder such as /tmp', async () => {
    await using folder = await temporaryFolder();
    requireOwnFolder(folder.path);
    chmodSync(folder.path, 0o1777);
    const own = join(folder.path, 'own');
    mkdirSync(own, 0o700);
    assert.equal(distrustOf(own), undefined);
    assert.match(distrustOf(folder.path) ?? '', /found mode 1777/);
  });

  it('is not trusted in a folder in which another user may rename it', async () => {
    await using folder = await temporaryFolder();
    const own = join(folder.path, 'above/own');
    mkdirSync(own, { recursive: true, mode: 0o700 });
    const above = join(folder.path, 'above');
    chmodSync(above, 0o777);
    assert.throws(() => requireOwnFolder(own), {
      message: new RegExp(`expected ${above} to be writable by its owner`),
    });
    chmodSync(above, 0o700);
    requireOwnFolder(own);
    chownSync(above, NOBODY, NOBODY);
    assert.throws(() => requireOwnFolder(own), { message: new RegExp(`expected ${above} .*found user 65534`) });
  });

  it('is judged where a link leads', async () => {
    await using folder = await temporaryFolder();
    const [other, link] = [join(folder.path, 'other'), join(folder.path, 'link')];
    mkdirSync(other, 0o700);
    chownSync(other, NOBODY, NOBODY);
    symlinkSync(other, link);
    assert.match(distrustOf(link) ?? '', /found user 65534/);
  });

  it('is not trusted by a link that another user may turn', async () => {
    await using folder = await temporaryFolder();
    const [own, link] = [join(folder.path, 'own'), join(folder.path, 'link')];
    mkdirSync(own, 0o700);
    symlinkSync(own, link);
    assert.equal(distrustOf(link), undefined);
    lchownSync(link, NOBODY, NOBODY);
    assert.match(distrustOf(link) ?? '', new RegExp(`expected ${link} to be owned by .*found user 65534`));
  });

  it('is judged also by the folders above the one that a link leads to', async () => {
    await using folder = await temporaryFolder();
    const [above, link] = [join(folder.path, 'above'), join(folder.path, 'link')];
    mkdirSync(join(above, 'own'), { recursive: true, mode: 0o700 });
    symlinkSync(join(above, 'own'), link);
    chmodSync(above, 0o777);
    assert.match(distrustOf(link) ?? '', new RegExp(`expected ${above} to be writable`));
  });
});
