import assert from 'node:assert/strict';
import { chmodSync, chownSync, existsSync, lchownSync, mkdirSync, readdirSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { keysInitCommand } from '../../activities/cli/keys-init.ts';
import { openOwnFolder } from '../../activities/own-folder.ts';
import { createResources } from '../../activities/resources.ts';
import { createVerdictKey, loadVerdictKey } from '../../activities/verdict-key.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const NOBODY = 65_534;

/** Ways in which another user may change what is in a folder. */
const OPENINGS: readonly (readonly [string, (folder: string) => void])[] = [
  ['belongs to another user', (folder) => chownSync(folder, NOBODY, NOBODY)],
  ['is open to all', (folder) => chmodSync(folder, 0o777)],
  ['is open to all and sticky', (folder) => chmodSync(folder, 0o1777)],
  ['is open to its group', (folder) => chmodSync(folder, 0o2775)],
  [
    'is below a folder of another user',
    (folder) => {
      const above = join(folder, '..');
      chownSync(above, NOBODY, NOBODY);
    },
  ],
];

describe('a folder of the worker', () => {
  for (const [how, open] of OPENINGS) {
    it(`that ${how} is refused as state and for new keys, and stays empty`, async () => {
      await using dir = await temporaryFolder();
      const folder = join(dir.path, 'above/state');
      mkdirSync(folder, { recursive: true });
      const key = join(dir.path, 'verdict.key');
      await createVerdictKey(key, join(dir.path, 'verdict.pub'));
      const resources = {
        policy: dir.path,
        plainHttp: [],
        allowInternal: [],
        registryHosts: [],
        credentialProviders: undefined,
      };
      const verdictKey = await loadVerdictKey(key);
      const opening = () => createResources({ ...resources, state: folder, verdictKey, fleet: 'f' }, () => {});
      (await opening()).stop();
      open(folder);
      await assert.rejects(opening(), /expected .* to be (owned|writable) by .*; run ch(own|mod) /);
      await assert.rejects(keysInitCommand.run([folder]), /expected .* to be (owned|writable) by .*; run ch(own|mod) /);
      assert.deepEqual(readdirSync(folder), []);
    });
  }

  it('is made for its user alone, also inside a volume that is open to all', async () => {
    await using dir = await temporaryFolder();
    chmodSync(dir.path, 0o777);
    await openOwnFolder(join(dir.path, 'a/b'));
    assert.equal(statSync(join(dir.path, 'a/b')).mode & 0o7777, 0o700);
    assert.ok(existsSync(join(dir.path, 'a/b')));
  });

  it('is refused by a link that another user may turn', async () => {
    await using dir = await temporaryFolder();
    const [own, link] = [join(dir.path, 'own'), join(dir.path, 'link')];
    mkdirSync(own, 0o700);
    symlinkSync(own, link);
    await openOwnFolder(link);
    lchownSync(link, NOBODY, NOBODY);
    await assert.rejects(openOwnFolder(link), /expected .*link to be owned by root or user 0, found user 65534/);
  });
});

describe('a verdict key', () => {
  it('of another user is not used to sign', async () => {
    await using dir = await temporaryFolder();
    const key = join(dir.path, 'verdict.key');
    await createVerdictKey(key, join(dir.path, 'verdict.pub'));
    chownSync(key, NOBODY, NOBODY);
    await assert.rejects(loadVerdictKey(key), /expected .*verdict\.key to be owned by .*; run chown 0 /);
  });
});
