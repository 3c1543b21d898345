import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { importName } from '../../shim/offline/import-folder.ts';
import { MAX_OFFLINE_BYTES, MAX_OFFLINE_VERDICTS } from '../../shim/offline/offline-file.ts';
import { lonelyNode } from '../support/lonely-node.ts';
import { anOfflineVerdict, aStatement, offlineText } from '../support/offline.ts';
import { anAllow, createTestVerdictKey, digestOf } from '../support/verdicts.ts';

const key = createTestVerdictKey();
const { name, digest } = anAllow();
const listed = digestOf('1d');

/** What the unit of the daemon permits (MemoryHigh), in KiB. */
const MEMORY_KIB = 256 * 1024;

/** The most that a process has taken, in KiB. */
function peakKib(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

/** A genuine verdict whose signature is one that never was, as a former `import` took it. */
function importThatKills(): string {
  const good = anOfflineVerdict(key);
  const [signature] = good.signatures;
  const junk = { keyid: 'x', sig: `é${'A'.repeat(60 * 1024 * 1024)}` };
  return offlineText(aStatement(key), [{ ...good, signatures: [signature, junk] }]);
}

/** Puts something at a path of the state folder. */
type Put = (path: string) => void;

const HUGE: Put = (path) => {
  writeFileSync(path, '');
  truncateSync(path, 20 * 1024 ** 3);
};
const FOLDER: Put = (path) => void mkdirSync(path);
const PIPE: Put = (path) => void execFileSync('mkfifo', [path]);
const ENDLESS: Put = (path) => symlinkSync('/dev/zero', path);
const NOWHERE: Put = (path) => symlinkSync('nowhere', path);
const GARBAGE: Put = (path) => writeFileSync(path, Buffer.from([0xff, 0, 0x7b, 0x0a]));
/** JSON of a few bytes a value, which takes many times as much when it is parsed. */
const DENSE: Put = (path) => writeFileSync(path, `[${'{},'.repeat(16 * 1024 * 1024)}{}]`);

const FORMS = { HUGE, FOLDER, PIPE, ENDLESS, NOWHERE, GARBAGE, DENSE };

const STORES = ['clock', 'policy-head.json', 'verdicts/000000000001.verdicts', 'imported/x.json'];

describe('a daemon whose state folder was filled by others', () => {
  async function startsWith(t: Parameters<typeof lonelyNode>[0], put: (state: string) => void) {
    const node = await lonelyNode(t, key);
    await node.list(listed);
    mkdirSync(node.state, { mode: 0o700 });
    put(node.state);
    const daemon = await node.start();
    assert.ok(peakKib(daemon.process.pid) < MEMORY_KIB, `took ${peakKib(daemon.process.pid)} KiB`);
    assert.notEqual(await daemon.pull(name, digest), 'allow');
    return { node, daemon, log: await daemon.log() };
  }

  it('starts after an import that once killed it, says so, and imports nothing of it', async (t) => {
    const content = importThatKills();
    const { log } = await startsWith(t, (state) => {
      mkdirSync(join(state, 'imported'));
      writeFileSync(join(state, 'imported', importName(content)), content);
    });
    assert.match(log, /"message":"imported verdicts"[^\n]+"problem":"expected/);
  });

  it('holds the largest import there may be, and uses it', async (t) => {
    const node = await lonelyNode(t, key);
    const reasons = [{ code: 'SIGNATURE_VERIFIED', sentence: 'x'.repeat(3_350) }] as const;
    const verdicts = Array.from({ length: MAX_OFFLINE_VERDICTS }, (_, number) =>
      anOfflineVerdict(key, { reasons: [...reasons], name: `${name}-${number}` }),
    );
    const content = offlineText(aStatement(key), verdicts);
    assert.ok(content.length < MAX_OFFLINE_BYTES && content.length > 0.9 * MAX_OFFLINE_BYTES, `${content.length}`);
    mkdirSync(join(node.state, 'imported'), { recursive: true, mode: 0o700 });
    writeFileSync(join(node.state, 'imported', importName(content)), content);
    const daemon = await node.start();
    assert.equal(await daemon.pull(`${name}-0`, digest), 'allow');
    assert.equal(await daemon.pull(`${name}-${MAX_OFFLINE_VERDICTS - 1}`, digest), 'allow');
    assert.ok(peakKib(daemon.process.pid) < MEMORY_KIB, `took ${peakKib(daemon.process.pid)} KiB`);
  });

  for (const [form, put] of Object.entries(FORMS)) {
    it(`starts when each file of it is ${form}`, async (t) => {
      const { log } = await startsWith(t, (state) => {
        for (const store of STORES) {
          mkdirSync(dirname(join(state, store)), { recursive: true, mode: 0o700 });
          put(join(state, store));
        }
      });
      for (const store of STORES) {
        // a record that is damaged is passed over, as a power cut leaves one
        const isSaid = store !== 'clock' && !(form === 'GARBAGE' && store.startsWith('verdicts'));
        assert.ok(!isSaid || log.includes(store), `says nothing of ${store}`);
      }
    });
  }

  it('starts among many files, and says that they are too many', async (t) => {
    const { log } = await startsWith(t, (state) => {
      for (const folder of ['verdicts', 'imported']) mkdirSync(join(state, folder), { mode: 0o700 });
      execFileSync('sh', ['-c', 'cd "$1" && seq 60000 | xargs touch', 'sh', state]);
      for (let number = 1; number <= 30_000; number++) {
        writeFileSync(join(state, 'verdicts', `${String(number).padStart(12, '0')}.verdicts`), '');
        writeFileSync(join(state, 'imported', `${number}.json`), '');
      }
    });
    assert.ok(log.length < 1024 * 1024, `logged ${log.length} characters`);
    assert.match(log, /too many|at most/);
  });
});
