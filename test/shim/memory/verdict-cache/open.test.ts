import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openVerdictCache } from '../../../../shim/memory/verdict-cache/open.ts';
import type { CacheKey } from '../../../../shim/memory/verdict-cache/verdict-cache.ts';
import { checkVerdict } from '../../../../shim/verdict-keys/verdict-check.ts';
import { anAllow, createTestVerdictKey, TEST_FLEET } from '../../../support/verdicts.ts';

const root = mkdtempSync(join(tmpdir(), 'portcullis-cache-'));
after(() => rmSync(root, { recursive: true }));
const signer = createTestVerdictKey();
const soon = () => Date.now() + 60_000;
let directory: string;
let count = 0;
beforeEach(() => {
  directory = join(root, String(++count));
});

function about(name: string) {
  const verdict = anAllow({ name: `127.0.0.1:5000/demo/${name}` });
  const key: CacheKey = { name: verdict.name, digest: verdict.digest, policyRevision: verdict.policyRevision };
  return { key, verdict, envelope: signer.verdict(verdict).envelope };
}

function runSync(program: string, ...args: readonly string[]): void {
  execFileSync(program, args, { stdio: 'pipe' });
}

/** Until there is no byte left. */
function fillDisk(path: string): void {
  try {
    for (;;) appendFileSync(path, 'x');
  } catch (error) {
    assert.match(String(error), /ENOSPC/);
  }
}

function onlySegment(): string {
  const [file, ...more] = readdirSync(directory);
  assert.ok(file !== undefined && more.length === 0);
  return join(directory, file);
}

describe('the verdict cache', () => {
  it('finds what was kept, and after a restart too', async () => {
    const { key, envelope } = about('app:v1');
    const cache = openVerdictCache(directory);
    assert.equal(cache.find(key), undefined);
    cache.keep(key, envelope, soon());
    assert.deepEqual(cache.find(key), envelope);
    await cache.close();
    const again = openVerdictCache(directory);
    assert.deepEqual(again.find(key), envelope);
    assert.deepEqual([again.stats().entries, again.stats().lost], [1, 0]);
  });

  it('answers by the newest envelope, and for this name, digest and policy alone', () => {
    const { key, envelope } = about('app:v1');
    const cache = openVerdictCache(directory);
    cache.keep(key, { ...envelope, payload: '' }, soon());
    cache.keep(key, envelope, soon());
    assert.deepEqual(cache.find(key), envelope);
    assert.equal(cache.find({ ...key, name: `${key.name}1` }), undefined);
    assert.equal(cache.find({ ...key, policyRevision: 'd'.repeat(64) }), undefined);
    assert.deepEqual(openVerdictCache(directory).find(key), envelope);
  });

  it('forgets at a restart what has ended', () => {
    const { key, envelope } = about('app:v1');
    openVerdictCache(directory).keep(key, envelope, Date.now() - 1);
    assert.equal(openVerdictCache(directory).find(key), undefined);
  });

  it('stays within its bounds: the oldest go first', () => {
    const limits = { entries: 50, bytes: 100_000, segmentBytes: 10_000 };
    const cache = openVerdictCache(directory, limits);
    const all = Array.from({ length: 300 }, (_, index) => about(`app:v${index}`));
    for (const { key, envelope } of all) cache.keep(key, envelope, soon());
    const { entries, bytes } = cache.stats();
    assert.ok(entries <= limits.entries && entries > limits.entries / 2, `${entries} entries`);
    assert.ok(bytes <= limits.bytes, `${bytes} bytes`);
    assert.deepEqual(
      all.map(({ key }) => cache.find(key) !== undefined),
      all.map((_, index) => index >= all.length - entries),
    );
    assert.ok(readdirSync(directory).length < 12);
  });

  it('keeps nothing that is too large', () => {
    const { key, envelope } = about('app:v1');
    const cache = openVerdictCache(directory);
    cache.keep(key, { ...envelope, payload: 'A'.repeat(70_000) }, soon());
    assert.deepEqual([cache.find(key), cache.stats().lost], [undefined, 1]);
  });

  it('refuses a folder that others write to', () => {
    mkdirSync(directory);
    chmodSync(directory, 0o777);
    assert.throws(
      () => openVerdictCache(directory),
      /expected a folder that only its owner writes to, found .*mode 777/,
    );
  });

  it('goes on when its folder was removed', () => {
    const [first, second] = [about('app:v1'), about('app:v2')];
    const cache = openVerdictCache(directory);
    cache.keep(first.key, first.envelope, soon());
    rmSync(directory, { recursive: true });
    cache.keep(second.key, second.envelope, soon());
    assert.deepEqual(cache.find(second.key), second.envelope);
    assert.deepEqual(openVerdictCache(directory).find(second.key), second.envelope);
  });

  it('loses only the last entry when its file ends at any byte', () => {
    const [first, second] = [about('app:v1'), about('app:v2')];
    const cache = openVerdictCache(directory);
    for (const { key, envelope } of [first, second]) cache.keep(key, envelope, soon());
    const content = readFileSync(onlySegment());
    const firstEnd = content.indexOf('\n') + 1;
    for (let length = content.length - 1; length >= firstEnd; length -= 7) {
      truncateSync(onlySegment(), length);
      const torn = openVerdictCache(directory);
      assert.deepEqual(torn.find(first.key), first.envelope, `${length} bytes`);
      assert.equal(torn.find(second.key), undefined, `${length} bytes`);
    }
  });

  it('never gives an allow that nobody signed, whatever byte is changed, and finds the entry beside it', () => {
    const [bent, other] = [about('app:v1'), about('app:v2')];
    const cache = openVerdictCache(directory);
    for (const { key, envelope } of [bent, other]) cache.keep(key, envelope, soon());
    const path = onlySegment();
    const content = readFileSync(path);
    const end = content.indexOf('\n');
    let unread = 0;
    for (let at = 0; at < end; at += 3) {
      const changed = Buffer.from(content);
      changed[at] = (changed[at] ?? 0) ^ 1;
      writeFileSync(path, changed);
      const found = openVerdictCache(directory);
      const envelope = found.find(bent.key);
      const check = checkVerdict({ envelope }, { ...bent.key, fleet: TEST_FLEET }, signer.accepted(), Date.now());
      assert.equal(check.kind, 'refused', `byte ${at}`);
      if (envelope === undefined) unread++;
      assert.deepEqual(found.find(other.key), other.envelope, `byte ${at}`);
    }
    assert.ok(unread > 0);
  });

  it('takes garbage for nothing', () => {
    mkdirSync(directory, { mode: 0o700 });
    const { key, envelope } = about('app:v1');
    writeFileSync(join(directory, '000000000001.verdicts'), Buffer.alloc(100_000, '\n\xff{} '));
    writeFileSync(join(directory, '000000000002.verdicts'), Buffer.alloc(20_000_000));
    writeFileSync(join(directory, 'README'), 'not ours');
    const cache = openVerdictCache(directory);
    cache.keep(key, envelope, soon());
    assert.deepEqual([cache.find(key), cache.stats().entries], [envelope, 1]);
    assert.ok(readdirSync(directory).includes('README'));
  });

  it('has every entry but the last after the one who keeps was killed, at seeded moments', async () => {
    for (const moment of [30, 55, 90, 140]) {
      const writer = spawn(process.execPath, [
        fileURLToPath(new URL('../../verdict-cache/keep-for-ever.ts', import.meta.url)),
        directory,
      ]);
      let printed = '';
      writer.stdout.on('data', (chunk) => {
        printed += String(chunk);
      });
      await once(writer.stdout, 'data');
      await delay(moment);
      writer.kill('SIGKILL');
      await once(writer, 'close');
      const kept = printed.split('\n').slice(0, -1);
      const cache = openVerdictCache(directory);
      const missing = kept.filter((name) => cache.find(about(name).key) === undefined);
      assert.deepEqual(missing, [], `after ${kept.length} kept`);
      assert.ok(kept.length > 5);
    }
  });
});

describe('the verdict cache on a disk', () => {
  it('that can not be written loses what it can not keep, says how many, and keeps again when it can', async () => {
    const [first, second, third] = [about('app:v1'), about('app:v2'), about('app:v3')];
    mkdirSync(directory);
    const mount = (...args: readonly string[]) => runSync('mount', ...args);
    mount('-t', 'tmpfs', '-o', 'size=16k,mode=700', 'tmpfs', directory);
    try {
      const cache = openVerdictCache(directory);
      cache.keep(first.key, first.envelope, soon());
      writeFileSync(join(directory, 'full'), '');
      fillDisk(join(directory, 'full'));
      for (let tries = 0; tries < 50; tries++) cache.keep(second.key, second.envelope, soon());
      assert.ok(cache.stats().lost > 0);
      assert.deepEqual(cache.find(first.key), first.envelope);
      assert.ok(readdirSync(directory).length <= 3, 'a full disk is not filled with files');
      rmSync(join(directory, 'full'));
      cache.keep(third.key, third.envelope, soon());
      assert.deepEqual(cache.find(third.key), third.envelope);
      await cache.close();
      mount('-o', 'remount,ro', directory);
      const readOnly = openVerdictCache(directory);
      readOnly.keep(second.key, second.envelope, soon());
      assert.deepEqual([readOnly.stats().lost, readOnly.find(third.key)], [1, third.envelope]);
      mount('-o', 'remount,rw', directory);
      readOnly.keep(second.key, second.envelope, soon());
      assert.deepEqual(readOnly.find(second.key), second.envelope);
    } finally {
      runSync('umount', '-l', directory);
    }
  });
});
