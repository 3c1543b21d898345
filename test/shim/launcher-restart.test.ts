import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, rename, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { encodeAllow, encodeRefusal } from '../../shim/launcher/protocol.ts';
import { fakeDaemon, type LauncherRun, runLauncher } from '../support/launcher.ts';
import { leaveDeadSocket } from '../support/launcher-socket.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** How long the launcher waits for a shim that is not there, in ms. */
const PATIENCE_MS = 2_500;

const PATIENT = { PORTCULLIS_DEADLINE_MS: '60000' };

const ask = (socket: string, environment = PATIENT) => runLauncher({ socket, environment, stdin: Buffer.from('{}') });

/** A shim that allows everything, from now on. */
async function allowAt(t: TestContext, path: string): Promise<Server> {
  await mkdir(dirname(path), { recursive: true });
  const server = createServer({ allowHalfOpen: true }, (connection) => {
    connection.on('error', () => {}).on('end', () => connection.end(encodeAllow()));
    connection.resume();
  });
  const mask = process.umask(0o177);
  server.listen(path);
  process.umask(mask);
  await once(server, 'listening');
  t.after(() => server.close());
  return server;
}

function assertAllowed(run: LauncherRun): void {
  assert.deepEqual([run.exitCode, run.stdout, run.stderr], [0, '', '']);
}

test('a shim that comes while the launcher waits is asked: no directory, no socket, a dead socket', async (t) => {
  await using folder = await temporaryFolder();
  const [none, missing, dead] = ['none/launcher.sock', 'missing.sock', 'dead.sock'].map((name) =>
    join(folder.path, name),
  );
  assert.ok(none !== undefined && missing !== undefined && dead !== undefined);
  await leaveDeadSocket(dead);
  const runs = [none, missing, dead].map((path) => ask(path));
  await delay(300);
  await rm(dead);
  for (const path of [none, missing, dead]) await allowAt(t, path);
  for (const run of await Promise.all(runs)) assertAllowed(run);
});

test('a shim that does not come is waited for, but not for ever', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'launcher.sock');
  const [run, hurried] = await Promise.all([ask(path), ask(path, { PORTCULLIS_DEADLINE_MS: '300' })]);
  for (const { exitCode, stdout } of [run, hurried]) {
    assert.equal(exitCode, 1);
    assert.match(stdout, /^SHIM_ABSENT: .*; systemctl start portcullis-shim, and pull again\n$/);
  }
  assert.ok(run.milliseconds >= PATIENCE_MS, `${run.milliseconds} ms`);
  assert.ok(hurried.milliseconds < PATIENCE_MS, `${hurried.milliseconds} ms`);
});

test('what comes while the launcher waits is trusted no more than what is there', async (t) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'launcher.sock');
  const asking = ask(path);
  await delay(200);
  const mask = process.umask(0);
  const server = createServer((connection) => connection.end(encodeAllow())).listen(path);
  process.umask(mask);
  t.after(() => server.close());
  const run = await asking;
  assert.equal(run.exitCode, 1);
  assert.match(run.stdout, /^SHIM_UNTRUSTED: /);
});

test('a shim that was killed before it answered is asked once more, and so is its successor', async (t) => {
  let asked = 0;
  const { socket, requests } = await fakeDaemon(t, (connection) => {
    if (++asked === 1) connection.destroy();
    else connection.end(encodeAllow());
  });
  assertAllowed(await ask(socket));
  assert.equal(requests.length, 2);
  assert.ok(requests[0]?.equals(requests[1] ?? Buffer.of()), 'the same question');

  const killed = await fakeDaemon(t, (connection) => {
    void rename(killed.socket, `${killed.socket}.old`).then(() => connection.destroy());
    setTimeout(() => void allowAt(t, killed.socket), 200);
  });
  assertAllowed(await ask(killed.socket));
});

test('a shim that is killed before it heard the question is asked once more', async (t) => {
  let asked = 0;
  const hangUp = (connection: Socket) => {
    if (++asked === 1) return void connection.destroy();
    connection.on('end', () => connection.end(encodeAllow())).resume();
  };
  const { socket } = await fakeDaemon(t, hangUp, { early: true });
  assertAllowed(await runLauncher({ socket, environment: PATIENT, stdin: Buffer.alloc(1024 * 1024) }));
});

test('nobody is asked three times, and an answer is never asked for again', async (t) => {
  const answers: readonly (readonly [string | Uint8Array, number, RegExp])[] = [
    ['', 2, /^SHIM_GARBLED: .* hung up without an answer; pull again, and see journalctl -u portcullis-shim\n$/],
    ['a', 1, /^SHIM_GARBLED: .* found 1 bytes that are none; pull again/],
    [encodeRefusal('UNSIGNED: no'), 1, /^UNSIGNED: no\n$/],
    [encodeRefusal('SHIM_STOPPING: pull again'), 1, /^SHIM_STOPPING: pull again\n$/],
  ];
  for (const [answer, times, reason] of answers) {
    const { socket, requests } = await fakeDaemon(t, (connection) => connection.end(answer));
    const run = await ask(socket);
    assert.equal(run.exitCode, 1);
    assert.match(run.stdout, reason);
    assert.equal(requests.length, times);
  }
});

test('asking once more does not begin the deadline anew', async (t) => {
  let asked = 0;
  const { socket } = await fakeDaemon(t, (connection) => {
    if (++asked === 1) setTimeout(() => connection.destroy(), 1_000);
  });
  const run = await ask(socket, { PORTCULLIS_DEADLINE_MS: '1500' });
  assert.match(run.stdout, /^SHIM_SILENT: /);
  assert.equal(asked, 2);
  assert.ok(run.milliseconds < 2_400, `${run.milliseconds} ms`);
});
