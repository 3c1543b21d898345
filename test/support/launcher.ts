import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { buildLauncher } from '../../shim/launcher/build.ts';

/** How a run of the real launcher ended. */
export interface LauncherRun {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly milliseconds: number;
}

export interface LauncherOptions {
  readonly socket: string;
  readonly arguments?: readonly (string | Buffer)[];
  /** Standard input up to its end; `open` never ends it, `endless` sends zeros for ever, `closed` has none. */
  readonly stdin?: Uint8Array | 'open' | 'endless' | 'closed';
  readonly environment?: Readonly<Record<string, string>>;
  readonly stdout?: 'closed';
  /** Called once the launcher runs, for tests that kill it. */
  readonly started?: (launcher: ChildProcess) => void;
}

let built: Promise<string> | undefined;

/** Compiles the launcher once per test process and answers its path. */
export function launcherBinary(): Promise<string> {
  built ??= build();
  return built;
}

async function build(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'portcullis-launcher-'));
  process.once('exit', () => void rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'portcullis-verifier');
  await buildLauncher(file);
  return file;
}

/** Runs the real launcher as containerd does. */
export async function runLauncher(options: LauncherOptions): Promise<LauncherRun> {
  const binary = await launcherBinary();
  const begun = performance.now();
  const [file, words] = command(binary, options);
  const child = spawn(file, words, {
    env: { PORTCULLIS_SOCKET: options.socket, ...options.environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const text = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text.stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (text.stderr += chunk));
  child.stdin.on('error', () => {}); // the launcher may end without having read it
  options.started?.(child);
  const ended = once(child, 'close');
  feed(child, options.stdin ?? new Uint8Array());
  await ended;
  child.stdin.destroy();
  return { exitCode: child.exitCode, signal: child.signalCode, ...text, milliseconds: performance.now() - begun };
}

/** A shell stands in between only for what `spawn` cannot do: bytes that are not UTF-8, and closed descriptors. */
function command(binary: string, options: LauncherOptions): [string, string[]] {
  const words = options.arguments ?? [];
  const plain = words.filter((word) => typeof word === 'string');
  const closed = `${options.stdin === 'closed' ? ' <&-' : ''}${options.stdout === 'closed' ? ' >&-' : ''}`;
  if (plain.length === words.length && closed === '') return [binary, plain];
  const quoted = words.map((word) => `$'${[...Buffer.from(word)].map((byte) => `\\x${hex(byte)}`).join('')}'`);
  return ['bash', ['--norc', '-c', `exec "$0" ${quoted.join(' ')}${closed}`, binary]];
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

function feed(child: ChildProcess, stdin: NonNullable<LauncherOptions['stdin']>): void {
  const pipe = child.stdin;
  if (pipe === null || stdin === 'open' || stdin === 'closed') return;
  if (stdin !== 'endless') return void pipe.end(stdin);
  const zeros = Buffer.alloc(65_536);
  const more = () => {
    while (pipe.writable && pipe.write(zeros));
  };
  pipe.on('drain', more);
  more();
}

/** A daemon that does whatever a test wants with each connection. */
export interface FakeDaemon {
  readonly socket: string;
  readonly directory: string;
  /** The whole requests so far, in the order in which they ended. */
  readonly requests: readonly Buffer[];
}

/**
 * Listens on a Unix socket, mode 0600, until the test ends. `answer` is called with each connection after its request
 * was read to the end, or at once with `{ early: true }`.
 */
export async function fakeDaemon(
  test: TestContext,
  answer: (connection: Socket) => void,
  options: { readonly early?: boolean } = {},
): Promise<FakeDaemon> {
  const directory = await mkdtemp(join(tmpdir(), 'portcullis-daemon-'));
  const socket = join(directory, 'launcher.sock');
  const requests: Buffer[] = [];
  const connections = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (connection) => {
    connections.add(connection);
    connection.on('error', () => {}); // a launcher that was killed
    connection.on('close', () => connections.delete(connection));
    if (options.early === true) return answer(connection);
    const chunks: Buffer[] = [];
    connection.on('data', (chunk: Buffer) => chunks.push(chunk));
    connection.on('end', () => {
      requests.push(Buffer.concat(chunks));
      answer(connection);
    });
  });
  await listen(server, socket);
  test.after(async () => {
    for (const connection of connections) connection.destroy();
    await new Promise((closed) => server.close(closed));
    await rm(directory, { recursive: true, force: true });
  });
  return { socket, directory, requests };
}

async function listen(server: Server, path: string): Promise<void> {
  const mask = process.umask(0o177);
  server.listen(path);
  await once(server, 'listening');
  process.umask(mask);
}
