import { lstat, mkdir, rm, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';

/**
 * Listens on a Unix socket that belongs to this user alone, mode 0600 from its first moment on, in a directory that
 * nobody else writes to (the launcher refuses any other). Replaces the socket that a crashed daemon left there; throws
 * when a living one answers, and when something else is in the way.
 */
export async function listenPrivately(path: string, listen: () => Promise<void>): Promise<void> {
  await claim(path);
  const mask = process.umask(0o177);
  try {
    await listen();
  } finally {
    process.umask(mask);
  }
}

async function claim(path: string): Promise<void> {
  const directory = dirname(path);
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const { mode } = await stat(directory);
  if ((mode & 0o022) !== 0) {
    throw new Error(
      `socket ${path}: expected ${directory} to be writable by its owner only, found mode ${(mode & 0o7777).toString(8)}; chmod go-w ${directory}`,
    );
  }
  const found = await lstat(path).catch(absent);
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new Error(`socket ${path}: expected a socket or nothing, found something else; give another path`);
  }
  if (await isAnswered(path)) {
    throw new Error(`socket ${path}: another program is listening there; stop it first, or give another path`);
  }
  await rm(path, { force: true });
}

function absent(error: unknown): undefined {
  if (!hasCode(error, 'ENOENT')) throw error;
}

/** Only a refusal proves that nobody is there: a busy daemon (EAGAIN) is one, too. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => resolve(!hasCode(error, 'ECONNREFUSED') && !hasCode(error, 'ENOENT')));
  });
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
