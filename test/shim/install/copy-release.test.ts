import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { isLauncherOf, putLauncher } from '../../../shim/install/launcher-place.ts';
import { putRelease } from '../../../shim/install/release.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const NOBODY = 65_534;

/** What another user unpacked, everything open to all. */
function openRelease(dir: string): string {
  const folder = join(dir, 'unpacked');
  mkdirSync(join(folder, 'lib'), { recursive: true });
  writeFileSync(join(folder, 'portcullis'), '#!/bin/true\n');
  writeFileSync(join(folder, 'portcullis-verifier'), 'launcher');
  writeFileSync(join(folder, 'lib/portcullis.mjs'), 'true');
  for (const name of ['portcullis', 'portcullis-verifier', 'lib', '.']) chmodSync(join(folder, name), 0o777);
  chmodSync(join(folder, 'lib/portcullis.mjs'), 0o666);
  for (const name of ['portcullis', 'lib', 'lib/portcullis.mjs', '.']) chownSync(join(folder, name), NOBODY, NOBODY);
  return folder;
}

const rightsOf = (path: string) => {
  const { uid, gid, mode } = statSync(path);
  return `${uid} ${gid} ${(mode & 0o7777).toString(8)}`;
};

function assertOurs(place: string): void {
  const us = `${process.geteuid?.()} ${process.getegid?.()}`;
  for (const name of ['.', 'lib', 'portcullis', 'portcullis-verifier']) {
    assert.equal(rightsOf(join(place, name)), `${us} 755`, name);
  }
  assert.equal(rightsOf(join(place, 'lib/portcullis.mjs')), `${us} 644`);
}

describe('a release on a node', () => {
  it('has owner and modes of its own, whatever its source has', async () => {
    await using dir = await temporaryFolder();
    const place = putRelease({ folder: openRelease(dir.path), version: '1' }, join(dir.path, 'releases'));
    assertOurs(place);
    assert.equal(readFileSync(join(place, 'lib/portcullis.mjs'), 'utf8'), 'true');
  });

  it('gets them again when it is there already, and its content too', async () => {
    await using dir = await temporaryFolder();
    const release = { folder: openRelease(dir.path), version: '1' };
    const place = putRelease(release, join(dir.path, 'releases'));
    chownSync(join(place, 'portcullis'), NOBODY, NOBODY);
    chmodSync(join(place, 'lib'), 0o777);
    putRelease(release, join(dir.path, 'releases'));
    assertOurs(place);
    writeFileSync(join(place, 'portcullis'), '#!/bin/sh\necho theirs\n');
    writeFileSync(join(place, 'lib/added.mjs'), 'theirs');
    putRelease(release, join(dir.path, 'releases'));
    assertOurs(place);
    assert.equal(readFileSync(join(place, 'portcullis'), 'utf8'), '#!/bin/true\n');
    assert.ok(!existsSync(join(place, 'lib/added.mjs')));
  });

  it('is not made of links, and not put into a folder of another user', async () => {
    await using dir = await temporaryFolder();
    const folder = openRelease(dir.path);
    const releases = join(dir.path, 'releases');
    mkdirSync(releases);
    chownSync(releases, NOBODY, NOBODY);
    assert.throws(() => putRelease({ folder, version: '1' }, releases), /expected .*releases to be owned by root/);
    assert.deepEqual(readdirSync(releases), []);
    chownSync(releases, 0, 0);
    symlinkSync('/etc/shadow', join(folder, 'lib/link'));
    assert.throws(
      () => putRelease({ folder, version: '1' }, releases),
      /expected files and folders alone in a release/,
    );
    assert.ok(!existsSync(join(releases, '1')));
  });
});

describe('the launcher on a node', () => {
  it('is not written through a link beside its folder, and not into a folder of another user', async () => {
    await using dir = await temporaryFolder();
    const folder = openRelease(dir.path);
    const [verifiers, victim] = [join(dir.path, 'verifiers'), join(dir.path, 'victim')];
    mkdirSync(verifiers);
    writeFileSync(victim, 'precious');
    symlinkSync(victim, join(verifiers, `.portcullis-verifier.${process.pid}.new`));
    putLauncher(folder, join(verifiers, 'bin'));
    assert.equal(readFileSync(victim, 'utf8'), 'precious');
    assert.ok(isLauncherOf(folder, join(verifiers, 'bin')));
    assert.equal(statSync(join(verifiers, 'bin/portcullis-verifier')).mode & 0o7777, 0o755);
    chmodSync(verifiers, 0o777);
    assert.throws(
      () => putLauncher(folder, join(verifiers, 'bin')),
      /expected .*verifiers to be writable by its owner/,
    );
  });
});
