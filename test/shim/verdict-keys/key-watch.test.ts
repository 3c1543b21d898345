import assert from 'node:assert/strict';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createLog } from '../../../shim/log/log.ts';
import { watchVerdictKeys } from '../../../shim/verdict-keys/key-watch.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { createTestVerdictKey } from '../../support/verdicts.ts';

const [one, other] = [createTestVerdictKey(), createTestVerdictKey()];
const pem = ({ publicKey }: typeof one) => publicKey.export({ type: 'spki', format: 'pem' });

/** A watched folder with one key. */
async function watching(t: TestContext) {
  const folder = await temporaryFolder();
  const file = (name: string) => join(folder.path, 'keys', name);
  await rename((await temporaryFolder()).path, join(folder.path, 'keys'));
  await writeFile(file('one.pub'), pem(one));
  const lines: string[] = [];
  const watch = await watchVerdictKeys(
    join(folder.path, 'keys'),
    createLog((line) => lines.push(line)),
  );
  t.after(async () => {
    watch.stop();
    await folder[Symbol.asyncDispose]();
  });
  return { folder: folder.path, file, lines, watch };
}

/** Settles when the watch has seen by itself what a test did. */
async function until(is: () => boolean): Promise<void> {
  while (!is()) await delay(20);
}

describe('the verdict keys that a daemon watches', () => {
  it('change by themselves with their files, windows too', async (t) => {
    const { file, lines, watch } = await watching(t);
    assert.deepEqual([...watch.keys().keys()], [one.keyId]);
    await writeFile(file('other.pub'), pem(other));
    await until(() => watch.keys().has(other.keyId));
    assert.equal(watch.keys().size, 2);
    await writeFile(file('one.json'), '{"notAfter": "2031-01-31T12:00:00Z"}');
    await until(() => watch.keys().get(one.keyId)?.window.notAfter === Date.parse('2031-01-31T12:00:00Z'));
    assert.match(lines.join(''), /"message":"verdict key","key":"[0-9a-f]{64}","file":"one\.pub","notAfter":"2031/);
  });

  it('lose the one whose window is broken, and all with the last file', async (t) => {
    const { file, lines, watch } = await watching(t);
    await writeFile(file('one.json'), '{"notAfter": "soon"}');
    await watch.reload();
    assert.equal(watch.keys().size, 0);
    assert.match(lines.join(''), /"level":"warn","message":"verdict key refused".*found \\"soon\\"/);
    await rm(file('one.json'));
    await watch.reload();
    assert.equal(watch.keys().size, 1);
    await rm(file('one.pub'));
    await watch.reload();
    assert.equal(watch.keys().size, 0);
    assert.match(lines.at(-2) ?? '', /no verdict key is left: every pull is refused/);
  });

  it('stay as they were while the folder can not be read, which is told once', async (t) => {
    const { folder, lines, watch } = await watching(t);
    await rename(join(folder, 'keys'), join(folder, 'away'));
    const told = () => lines.filter((line) => line.includes('the verdict keys stay as they were')).length;
    await until(() => told() > 0);
    await watch.reload();
    assert.equal(told(), 2);
    assert.deepEqual([...watch.keys().keys()], [one.keyId]);
  });

  it('have to be there to begin with', async () => {
    await using folder = await temporaryFolder();
    const log = createLog(() => {});
    await assert.rejects(watchVerdictKeys(folder.path, log), { message: /expected at least one \*\.pub file/ });
  });
});
