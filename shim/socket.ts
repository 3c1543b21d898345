import { mkdir, rm, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';

/**
 * Makes the path of a Unix socket free to listen on: the directory exists and belongs to its owner alone (the launcher
 * refuses any other), and what a crashed daemon left there is gone. Throws when a living one still answers.
 */
export async function claimSocket(path: string): Promise<void> {
  const directory = dirname(path);
  await mkdir(directory, { recursive: true, mode: 0o755 });
  if (((await stat(directory)).mode & 0o022) !== 0) {
    throw new Error(`socket ${path}: expected ${directory} to be writable by its owner only; chmod go-w ${directory}`);
  }
  if (await answers(path)) throw new Error(`socket ${path}: another portcullis shim is listening there; stop it first`);
  await rm(path, { force: true });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Listens with a umask that gives a new socket mode 0600 from its first moment on. */
export async function listenPrivately(listen: () => Promise<void>): Promise<void> {
  const mask = process.umask(0o177);
  try {
    await listen();
  } finally {
    process.umask(mask);
  }
}
