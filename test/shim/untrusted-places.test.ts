import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { readLists } from '../../shim/bootstrap/list-watch.ts';
import { readShimFile } from '../../shim/configuration.ts';
import type { Log } from '../../shim/log/log.ts';
import { openNodeMemory } from '../../shim/memory/node-memory.ts';
import { readVerdictKeyFiles } from '../../shim/verdict-keys/key-files.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { createTestVerdictKey, digestOf } from '../support/verdicts.ts';

const NOBODY = 65_534;
const quiet: Log = { info() {}, warn() {}, error() {} };

/** Ways in which another user may change what is in a folder. */
const OPENINGS: readonly (readonly [string, (folder: string) => void])[] = [
  ['belongs to another user', (folder) => chownSync(folder, NOBODY, NOBODY)],
  ['is open to all', (folder) => chmodSync(folder, 0o777)],
  ['is open to its group', (folder) => chmodSync(folder, 0o775)],
];

describe('a state folder', () => {
  for (const [how, open] of OPENINGS) {
    it(`that ${how} is refused, and nothing in it is touched`, async () => {
      await using folder = await temporaryFolder();
      const [state, victim] = [join(folder.path, 'state'), join(folder.path, 'victim')];
      mkdirSync(state);
      writeFileSync(victim, 'precious');
      for (const name of ['policy-head.json.new', 'clock.new']) symlinkSync(victim, join(state, name));
      open(state);
      assert.throws(() => openNodeMemory(state, quiet), /expected .*state to be .*; run ch(own|mod)/);
      assert.equal(readFileSync(victim, 'utf8'), 'precious');
      assert.deepEqual(readdirSync(state).toSorted(), ['clock.new', 'policy-head.json.new']);
    });

    it(`in a folder that ${how} is refused`, async () => {
      await using folder = await temporaryFolder();
      const above = join(folder.path, 'above');
      mkdirSync(above);
      open(above);
      assert.throws(() => openNodeMemory(join(above, 'state'), quiet), /expected .*above to be .*; run ch(own|mod)/);
    });
  }

  it('is made for this user alone', async () => {
    await using folder = await temporaryFolder();
    const state = join(folder.path, 'state');
    await openNodeMemory(state, quiet).close();
    assert.ok(existsSync(join(state, 'verdicts')));
  });
});

describe('a verdict key', () => {
  const pem = createTestVerdictKey().publicKey.export({ type: 'spki', format: 'pem' });

  async function keysAfter(open: (folder: string, file: string) => void) {
    await using folder = await temporaryFolder();
    const keys = join(folder.path, 'keys');
    mkdirSync(keys);
    const file = join(keys, 'verdict.pub');
    writeFileSync(file, pem);
    open(keys, file);
    const read = await readVerdictKeyFiles(keys);
    return {
      keys: read.keys.size,
      refused: read.refused.map(({ problem }) => problem.replace(/^.*; run (\w+) .*$/, '$1')),
    };
  }

  for (const [how, open] of OPENINGS) {
    it(`in a folder that ${how} is not used, and neither is one whose file is such`, async () => {
      const inFolder = await keysAfter(open);
      assert.deepEqual([inFolder.keys, inFolder.refused.length], [0, 1]);
      const ofFile = await keysAfter((_, file) => open(file));
      assert.deepEqual([ofFile.keys, ofFile.refused.length], [0, 1]);
    });
  }

  it('is used without one that another user adds in a sticky folder', async () => {
    const { keys, refused } = await keysAfter((folder) => {
      chmodSync(folder, 0o1777);
      writeFileSync(join(folder, 'evil.pub'), createTestVerdictKey().publicKey.export({ type: 'spki', format: 'pem' }));
      chownSync(join(folder, 'evil.pub'), NOBODY, NOBODY);
    });
    assert.deepEqual([keys, refused], [1, ['chown']]);
  });
});

describe('settings and bootstrap lists', () => {
  for (const [how, open] of OPENINGS) {
    it(`in a folder that ${how} count for nothing`, async () => {
      await using folder = await temporaryFolder();
      const above = join(folder.path, 'above');
      const lists = join(above, 'lists');
      mkdirSync(lists, { recursive: true });
      writeFileSync(join(lists, 'a.list'), `${digestOf('aa')}  pause\n`);
      writeFileSync(join(above, 'shim.yaml'), 'verdict-keys: /keys\n');
      assert.equal((await readLists(lists)).listed.length, 1);
      assert.deepEqual(await readShimFile(join(above, 'shim.yaml')), { 'verdict-keys': '/keys' });
      open(above);
      const { listed, problems } = await readLists(lists);
      assert.deepEqual([listed.length, problems.length], [0, 1]);
      await assert.rejects(readShimFile(join(above, 'shim.yaml')), /expected .*above to be .*; run ch(own|mod)/);
    });
  }
});
