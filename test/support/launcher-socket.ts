import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

const LISTEN = `
  process.umask(0o177);
  const [path, user] = process.argv.slice(1);
  if (user) process.seteuid(Number(user));
  require('node:net').createServer((c) => c.on('error', () => {}).end('allow\\n')).listen(path, () => console.log('listening'));
`;

/** Leaves the socket of a daemon that was killed at `path`: mode 0600, and nobody behind it. */
export async function leaveDeadSocket(path: string): Promise<void> {
  const daemon = spawn(process.execPath, ['-e', LISTEN, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(daemon.stdout, 'data');
  daemon.kill('SIGKILL');
  await once(daemon, 'exit');
}

/** A daemon of another user that allows everything, until the test ends; needs root. Answers the path of its socket. */
export async function listenAs(test: TestContext, user: number): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'portcullis-other-'));
  await chown(directory, user, user);
  const path = join(directory, 'launcher.sock');
  const daemon = spawn(process.execPath, ['-e', LISTEN, path, String(user)], { stdio: ['ignore', 'pipe', 'inherit'] });
  test.after(async () => {
    daemon.kill('SIGKILL');
    await rm(directory, { recursive: true, force: true });
  });
  await once(daemon.stdout, 'data');
  return path;
}
