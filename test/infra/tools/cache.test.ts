import assert from 'node:assert/strict';
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { cached, cacheFolder } from '../../../infra/tools/cache.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const noWait = () => assert.fail('nobody else is at work');

describe('the cache', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  const before = process.env['XDG_CACHE_HOME'];
  beforeEach(async () => {
    folder = await temporaryFolder();
    process.env['XDG_CACHE_HOME'] = folder.path;
  });
  afterEach(async () => {
    if (before === undefined) delete process.env['XDG_CACHE_HOME'];
    else process.env['XDG_CACHE_HOME'] = before;
    await folder[Symbol.asyncDispose]();
  });

  it('lives below XDG_CACHE_HOME when that is absolute, else below the home folder', () => {
    assert.equal(cacheFolder(), join(folder.path, 'portcullis'));
    process.env['XDG_CACHE_HOME'] = 'relative';
    assert.match(cacheFolder(), /^\/.*\/\.cache\/portcullis$/);
  });

  it('fills a folder once', async () => {
    const path = await cached('part', noWait, (unfinished) => writeFile(join(unfinished, 'program'), 'made'));
    assert.equal(await readFile(join(path, 'program'), 'utf8'), 'made');
    assert.equal(await cached('part', noWait, () => assert.fail('it is there already')), path);
    assert.deepEqual(await readdir(cacheFolder()), ['part']);
  });

  it('keeps nothing of a fill that failed, and tries again', async () => {
    const fill = async (unfinished: string) => {
      await writeFile(join(unfinished, 'program'), 'hal');
      throw new Error('the line was cut');
    };
    await assert.rejects(cached('part', noWait, fill), /the line was cut/);
    assert.deepEqual(await readdir(cacheFolder()), []);
    const path = await cached('part', noWait, (unfinished) => writeFile(join(unfinished, 'program'), 'whole'));
    assert.equal(await readFile(join(path, 'program'), 'utf8'), 'whole');
  });

  it('takes over from a process that was killed while filling, and clears up after it', async () => {
    const killed = join(cacheFolder(), 'part');
    await cached('other', noWait, async () => {});
    await writeFile(`${killed}.lock`, 'of a process that is gone');
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(`${killed}.lock`, longAgo, longAgo);
    await writeFile(`${killed}.unfinished-1`, 'half');
    let waited = 0;
    const path = await cached(
      'part',
      () => waited++,
      (unfinished) => writeFile(join(unfinished, 'program'), 'whole'),
    );
    assert.equal(waited, 1);
    assert.equal(await readFile(join(path, 'program'), 'utf8'), 'whole');
    assert.deepEqual((await readdir(cacheFolder())).sort(), ['other', 'part']);
  });

  it('is filled by one of many that ask at once', async () => {
    let fills = 0;
    const fill = async (unfinished: string) => {
      fills++;
      await writeFile(join(unfinished, 'program'), 'made');
    };
    const paths = await Promise.all(Array.from({ length: 8 }, () => cached('part', () => {}, fill)));
    assert.equal(fills, 1);
    assert.deepEqual(new Set(paths), new Set([join(cacheFolder(), 'part')]));
  });
});
