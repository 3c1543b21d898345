import assert from 'node:assert/strict';
import { chmod, chown, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { encodeAllow } from '../../shim/launcher/protocol.ts';
import { type FakeDaemon, fakeDaemon, type LauncherRun, runLauncher } from '../support/launcher.ts';
import { leaveDeadSocket, listenAs } from '../support/launcher-socket.ts';

const NOBODY = 65_534;

/** A daemon that would allow everything: only the launcher's own distrust can refuse. */
function allowingDaemon(t: TestContext): Promise<FakeDaemon> {
  return fakeDaemon(t, (connection) => connection.end(encodeAllow()));
}

function run(socket: string, environment: Readonly<Record<string, string>> = {}): Promise<LauncherRun> {
  return runLauncher({ socket, environment: { PORTCULLIS_DEADLINE_MS: '60000', ...environment } });
}

function assertRefused(run: LauncherRun, ...parts: readonly (string | RegExp)[]): void {
  assert.equal(run.exitCode, 1, run.stdout);
  for (const part of parts) assert.ok(run.stdout.search(part) >= 0, `expected ${part} in ${run.stdout}`);
  assert.equal(run.stderr, '');
}

test('nothing at the path, and nobody behind the socket', async (t) => {
  const { socket, directory } = await allowingDaemon(t);
  const [missing, left] = [join(directory, 'missing.sock'), join(directory, 'left.sock')];
  await leaveDeadSocket(left);
  for (const [path, why] of [
    [missing, 'No such file or directory'],
    [left, 'Connection refused'],
    [join(socket, 'below'), 'Not a directory'],
  ] as const) {
    const refused = await run(path, { PORTCULLIS_DEADLINE_MS: '100' });
    const cure = 'systemctl start portcullis-shim, and pull again';
    assertRefused(refused, `^SHIM_ABSENT: no portcullis shim at ${path} \\(${why}\\); ${cure}\n$`);
  }
});

test('a file, a directory or a symbolic link in the place of the socket', async (t) => {
  const { socket, directory } = await allowingDaemon(t);
  const [file, folder, link] = [join(directory, 'file'), join(directory, 'folder'), join(directory, 'link')];
  await writeFile(file, 'allow\n', { mode: 0o600 });
  await mkdir(folder, { mode: 0o700 });
  await symlink(socket, link);
  assertRefused(await run(file), /^SHIM_UNTRUSTED: /, `${file}: expected a socket, found a file`);
  assertRefused(await run(folder), /^SHIM_UNTRUSTED: /, 'found a directory');
  assertRefused(await run(link), /^SHIM_UNTRUSTED: /, 'found a symbolic link', 'systemctl restart portcullis-shim');
});

test('a socket that others may write to', async (t) => {
  const { socket } = await allowingDaemon(t);
  for (const mode of [0o602, 0o620, 0o622, 0o660, 0o666, 0o777]) {
    await chmod(socket, mode);
    const found = `found 0${mode.toString(8)}; chmod go-w ${socket}`;
    assertRefused(await run(socket), /^SHIM_UNTRUSTED: /, 'expected mode 0600', found);
  }
  for (const mode of [0o600, 0o700, 0o644]) {
    await chmod(socket, mode);
    assert.equal((await run(socket)).exitCode, 0, mode.toString(8));
  }
});

test('a directory that others may write to, sticky or not', async (t) => {
  const { socket, directory } = await allowingDaemon(t);
  for (const mode of [0o777, 0o1777, 0o770, 0o702]) {
    await chmod(directory, mode);
    assertRefused(await run(socket), /^SHIM_UNTRUSTED: directory /, directory, `chmod go-w ${directory}`);
  }
  await chmod(directory, 0o755);
  assert.equal((await run(socket)).exitCode, 0);
});

/** The next two need a second user, whom only root can act as; containerd itself is root. */
if (process.getuid?.() === 0) {
  test('a socket, or its directory, of another user', async (t) => {
    const { socket, directory } = await allowingDaemon(t);
    await chown(socket, NOBODY, NOBODY);
    assertRefused(
      await run(socket),
      /^SHIM_UNTRUSTED: /,
      `expected owner 0 or 0, found ${NOBODY}`,
      `chown root ${socket}`,
    );
    await chown(socket, 0, 0);
    await chown(directory, NOBODY, NOBODY);
    assertRefused(await run(socket), /^SHIM_UNTRUSTED: directory /, `found ${NOBODY}; .*chown root ${directory}\n`);
    await chown(directory, 0, 0);
    assert.equal((await run(socket)).exitCode, 0);
  });

  test('a socket of root behind which another user listens', async (t) => {
    const { directory } = await allowingDaemon(t);
    const socket = await listenAs(t, NOBODY);
    await chown(socket, 0, 0);
    const moved = join(directory, 'moved.sock');
    await rename(socket, moved);
    assertRefused(await run(moved), /^SHIM_UNTRUSTED: /, `expected user 0 or 0 to listen there, found ${NOBODY}`);
    await rm(moved);
  });
}

test('an environment that makes no sense', async (t) => {
  const { socket } = await allowingDaemon(t);
  for (const text of [
    '',
    '0',
    '99',
    '600001',
    '-500',
    '+500',
    ' 500',
    '500 ',
    '5e3',
    '0x1ff',
    '1000000000000',
    '1\n2',
    'NaN',
    '٣٣٣',
  ]) {
    const refused = await run(socket, { PORTCULLIS_DEADLINE_MS: text });
    assertRefused(refused, /^LAUNCHER_MISCONFIGURED: PORTCULLIS_DEADLINE_MS: expected 100 to 600000, found "/);
  }
  for (const text of ['600000', '09999'])
    assert.equal((await run(socket, { PORTCULLIS_DEADLINE_MS: text })).exitCode, 0);
  for (const path of ['', 'launcher.sock', './launcher.sock', `/${'x'.repeat(107)}`, `/${'x'.repeat(5000)}`]) {
    assertRefused(
      await run(path),
      /^LAUNCHER_MISCONFIGURED: PORTCULLIS_SOCKET: expected an absolute path of at most 107 bytes/,
    );
  }
  assertRefused(
    await run('/nowhere/a\nb\x1b[2J', { PORTCULLIS_DEADLINE_MS: '100' }),
    /^SHIM_ABSENT: no portcullis shim at \/nowhere\/a\?b\?\[2J [^\n]*\n$/,
  );
  assertRefused(
    await run('/nowhere/\u202ea\u200bb\u009b', { PORTCULLIS_DEADLINE_MS: '100' }),
    /^SHIM_ABSENT: no portcullis shim at \/nowhere\/\?{3}a\?{3}b\?\? [\x20-\x7e]*\n$/,
  );
});

test('an environment meant for other programs', async (t) => {
  const { socket } = await allowingDaemon(t);
  const hostile = {
    LD_PRELOAD: '/nowhere.so',
    LD_LIBRARY_PATH: '/nowhere',
    PATH: '',
    NODE_OPTIONS: '--bad',
    LC_ALL: 'x',
    MALLOC_CHECK_: '3',
  };
  const { exitCode, stdout, stderr } = await run(socket, hostile);
  assert.deepEqual([exitCode, stdout, stderr], [0, '', '']);
});
