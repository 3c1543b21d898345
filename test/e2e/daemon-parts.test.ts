import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { freePort } from '../../infra/stack/ports.ts';
import { describeDaemon } from '../../shim/doctor/describe-daemon.ts';
import { assertRefused, pullThrough } from '../support/pull.ts';
import { DIGEST, dir, NAME, sockets, startShim } from './lone-daemon.ts';

describe('the launchers of a node', () => {
  it('are answered although another user holds the port of the metrics, which come when it is free', async (test) => {
    const port = await freePort();
    const squatter = createServer((socket) => socket.destroy());
    squatter.listen(port, '127.0.0.1');
    await once(squatter, 'listening');
    const shim = await startShim(test, ['--metrics', `127.0.0.1:${port}`]);
    const missing = await shim.said('a part of the daemon is missing; the gate works without it');
    assert.deepEqual(
      [missing.level, missing['part'], /EADDRINUSE/.test(String(missing['error']))],
      ['warn', 'metrics', true],
    );
    assertRefused(await pullThrough(sockets.launcher, NAME, DIGEST), 'TEMPORAL_UNREACHABLE');
    const told = await describeDaemon(sockets.grpc);
    assert.ok(typeof told === 'object');
    assert.deepEqual(
      told.missing.map(({ name }) => name),
      ['metrics'],
    );
    assert.match(told.metrics, /^portcullis_part_missing\{part="metrics"\} 1$/m);
    squatter.close();
    await shim.said('a part of the daemon is there now');
    const scraped = await fetch(`http://127.0.0.1:${port}/metrics`);
    assert.match(await scraped.text(), /^portcullis_part_missing\{part="metrics"\} 0$/m);
  });

  it('are answered although the socket of gRPC cannot be made', async (test) => {
    await mkdir(join(dir, 'run'));
    await writeFile(sockets.grpc, 'precious');
    const shim = await startShim(test);
    assert.equal((await shim.said('a part of the daemon is missing; the gate works without it'))['part'], 'grpc');
    assertRefused(await pullThrough(sockets.launcher, NAME, DIGEST), 'TEMPORAL_UNREACHABLE');
    assert.equal(await readFile(sockets.grpc, 'utf8'), 'precious');
    await rm(sockets.grpc);
    await shim.said('a part of the daemon is there now');
    assert.equal((await stat(sockets.grpc)).mode & 0o777, 0o600);
  });

  it('are answered although the address of the metrics is none of this node, and its stop waits for nothing', async (test) => {
    const shim = await startShim(test, ['--metrics', '192.0.2.1:9464']);
    await shim.said('a part of the daemon is missing; the gate works without it');
    assertRefused(await pullThrough(sockets.launcher, NAME, DIGEST), 'TEMPORAL_UNREACHABLE');
    shim.process.kill('SIGTERM');
    await shim.exited;
    assert.equal(shim.process.exitCode, 0, shim.stderr);
  });
});
