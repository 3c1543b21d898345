import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { isShortage } from '../../shim/host/bounded-file.ts';
import { createMetrics, serveMetrics } from '../../shim/metrics.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { createTestVerdictKey, digestOf } from '../support/verdicts.ts';

const SHIM = new URL('../../shim/', import.meta.url).pathname;

/** Watches a list and a key, takes every descriptor of its process, looks again, and tells what is left of them. */
const PROGRAM = `
import { openSync } from 'node:fs';
import { watchBootstrapList } from '${SHIM}bootstrap/list-watch.ts';
import { watchVerdictKeys } from '${SHIM}verdict-keys/key-watch.ts';
const [lists, keys] = process.argv.slice(2);
const said = [];
const log = { info() {}, error() {}, warn: (message) => said.push(message) };
const list = await watchBootstrapList(lists, log);
const known = await watchVerdictKeys(keys, log);
try { for (;;) openSync('/dev/null'); } catch {}
for (let look = 0; look < 3; look++) await Promise.all([list.reload(), known.reload()]);
process.stdout.write(JSON.stringify({ listed: list.entries().length, keys: known.keys().size, said }));
process.exit(0);
`;

describe('a machine without descriptors', () => {
  it('says nothing of files: lists and keys stay as they were, and it is told once', async () => {
    await using folder = await temporaryFolder();
    const [lists, keys] = [join(folder.path, 'lists'), join(folder.path, 'keys')];
    for (const path of [lists, keys]) await mkdir(path);
    await writeFile(join(lists, 'a.list'), digestOf('ab'));
    await writeFile(join(keys, 'a.pub'), createTestVerdictKey().publicKey.export({ type: 'spki', format: 'pem' }));
    await writeFile(join(folder.path, 'program.mts'), PROGRAM);
    const stdout = await new Promise<string>((resolve, reject) => {
      const script = 'ulimit -n 64; exec "$@"';
      const args = ['-c', script, 'sh', process.execPath, join(folder.path, 'program.mts'), lists, keys];
      execFile('sh', args, (error, text, stderr) => (error === null ? resolve(text) : reject(new Error(stderr))));
    });
    // the program prints what this type says
    const { listed, keys: left, said } = JSON.parse(stdout) as { listed: number; keys: number; said: string[] };
    assert.deepEqual([listed, left], [1, 1]);
    assert.equal(said.filter((message) => message === 'bootstrap list stays as it was').length, 1);
  });

  it('is told by its errors, or what caused them', () => {
    const error = Object.assign(new Error('x'), { code: 'EMFILE' });
    assert.ok(isShortage(error) && isShortage(new Error('y', { cause: error })));
    assert.ok(!isShortage(Object.assign(new Error('x'), { code: 'ENOENT' })) && !isShortage('EMFILE'));
  });
});

describe('the port of the metrics', () => {
  it('has room for some scrapers, and none for those who say nothing', async () => {
    const metrics = createMetrics(
      () => undefined,
      () => new Map(),
      () => ({
        cache: undefined,
        state: { unkept: 0, unreadable: false },
        admission: { running: 0, waiting: 0 },
        listed: 0,
        canary: undefined,
        parts: [],
      }),
    );
    const server = await serveMetrics({ host: '127.0.0.1', port: 0 }, metrics);
    const bound = server.address();
    assert.ok(bound !== null && typeof bound === 'object');
    const silent: Socket[] = [];
    try {
      for (let count = 0; count < 40; count++) {
        const socket = connect(bound.port, '127.0.0.1').on('error', () => {});
        await once(socket, 'connect');
        silent.push(socket);
      }
      await delay(50);
      assert.ok(silent.filter((socket) => !socket.closed).length <= 32);
      // Who says nothing is cut, and then there is room again.
      await Promise.all(silent.filter((socket) => !socket.closed).map((socket) => once(socket, 'close')));
      assert.equal((await fetch(`http://127.0.0.1:${bound.port}/metrics`)).status, 200);
    } finally {
      for (const socket of silent) socket.destroy();
      server.close();
      server.closeAllConnections();
    }
  });
});
