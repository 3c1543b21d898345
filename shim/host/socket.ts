import { once } from 'node:events';
import { lstat, mkdir, rename, rm, stat } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { Log } from '../log/log.ts';
import { messageOf } from '../log/message-of.ts';
import { codeOf } from './bounded-file.ts';

export interface PrivateListener {
  /** Takes the socket away and connects nobody any more; what is connected stays so. */
  close(): Promise<void>;
}

export interface ListenOptions {
  /** Called with each connection, and for how many ms there was a socket to connect to. */
  readonly accept: (connection: Socket, ageMs: number) => void;
  /** Whether a connection stays open after the other end has said everything. */
  readonly allowHalfOpen?: boolean;
  readonly log?: Pick<Log, 'warn'>;
  /** How often the socket is looked for, in ms. */
  readonly lookMs?: number;
}

/** How often the socket is looked for at its path: one that is gone is there again within 2 s. */
const LOOK_MS = 1_000;

/** Callers that the kernel keeps until they are accepted; `net.core.somaxconn` may be less. */
const BACKLOG = 1_024;

/**
 * Listens on a Unix socket that belongs to this user alone, mode 0600 from its first moment on, in a directory that
 * nobody else writes to (the launcher refuses any other). Replaces the socket that a crashed daemon left there; throws
 * when a living one answers, and when something else is in the way. A socket that is removed or replaced later, alone or
 * with its directory, is made anew; until that succeeds the one before it is served.
 */
export async function listenPrivately(path: string, options: ListenOptions): Promise<PrivateListener> {
  let bound = await bind(path, options);
  let problem = '';
  let closed = false;

  async function look(): Promise<void> {
    if ((await identify(path)) === bound.identity) return;
    try {
      const fresh = await bind(path, options);
      bound.server.close();
      bound = fresh;
      problem = '';
      options.log?.warn('the socket was removed or replaced, and was made anew', { socket: path });
    } catch (error) {
      const found = messageOf(error);
      if (found !== problem) options.log?.warn('the socket is gone and cannot be made anew', { error: found });
      problem = found;
    }
  }

  let looking: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout;
  const lookLater = () => {
    timer = setTimeout(() => {
      looking = look().finally(() => closed || lookLater());
    }, options.lookMs ?? LOOK_MS).unref();
  };
  lookLater();

  return {
    async close() {
      closed = true;
      clearTimeout(timer);
      await looking;
      if ((await identify(path)) === bound.identity) await rm(path, { force: true });
      bound.server.close();
    },
  };
}

interface Bound {
  readonly server: Server;
  readonly identity: string | undefined;
}

/**
 * Makes the socket beside its path and moves it there: whoever finds it can connect, and closing a listener, which
 * removes what is at the path that it was bound to, never removes its successor.
 */
async function bind(path: string, options: ListenOptions): Promise<Bound> {
  await claim(path);
  const draft = `${path.slice(0, -1)}~`; // not longer than the path, whose length is limited
  await rm(draft, { force: true });
  const since = performance.now();
  const server = createServer({ allowHalfOpen: options.allowHalfOpen ?? false }, (connection) =>
    options.accept(connection, performance.now() - since),
  );
  const listening = once(server, 'listening');
  const mask = process.umask(0o177);
  try {
    server.listen({ path: draft, backlog: BACKLOG });
  } finally {
    process.umask(mask);
  }
  await listening;
  // Without a listener for it, a failure to accept would end the daemon.
  server.on('error', (error) => options.log?.warn('a connection could not be accepted', { error: error.message }));
  try {
    await rename(draft, path);
    return { server, identity: await identify(path) };
  } catch (error) {
    server.close();
    throw error;
  }
}

/** What tells the file at the path from every other one; numbers of files are used again, so their birth counts too. */
async function identify(path: string): Promise<string | undefined> {
  try {
    const { dev, ino, birthtimeNs } = await lstat(path, { bigint: true });
    return `${dev} ${ino} ${birthtimeNs}`;
  } catch {
    return undefined; // whatever keeps it from being seen is found by who makes it anew
  }
}

async function claim(path: string): Promise<void> {
  const directory = dirname(path);
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const { mode, uid } = await stat(directory);
  if ((mode & 0o022) !== 0) {
    throw new Error(
      `socket ${path}: expected ${directory} to be writable by its owner only, found mode ${(mode & 0o7777).toString(8)}; chmod go-w ${directory}`,
    );
  }
  const us = process.geteuid?.();
  if (uid !== 0 && uid !== us) {
    throw new Error(
      `socket ${path}: expected ${directory} to be owned by 0 or ${us}, found ${uid}; chown root ${directory}`,
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
}

function absent(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error;
}

/** Only a refusal proves that nobody is there: a busy daemon (EAGAIN) is one, too. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => resolve(codeOf(error) !== 'ECONNREFUSED' && codeOf(error) !== 'ENOENT'));
  });
}
