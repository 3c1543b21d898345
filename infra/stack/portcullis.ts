import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type ServerProcess, startServer } from './process.ts';

/** As people run it, so that what is measured is what they get. */
const PROGRAM = fileURLToPath(new URL('../portcullis', import.meta.url));

const LOOPBACK = ['127.0.0.0/8', '::1'];

export interface WorkerOptions {
  readonly dir: string;
  /** Names the process among others in `dir`. */
  readonly name?: string;
  readonly temporal: string;
  readonly policyDirectory: string;
  readonly verdictKey: string;
  /** Internal hosts and ranges to which it may connect; without it, this machine. */
  readonly allowInternal?: readonly string[];
  /** More of the command line. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts `portcullis worker` and waits until it takes work. */
export async function startWorker(options: WorkerOptions): Promise<ServerProcess> {
  const name = options.name ?? 'worker';
  const said = await countReady(`${options.dir}/${name}.log`);
  return await startServer({
    name,
    program: PROGRAM,
    args: [
      ...['worker', '--policy', options.policyDirectory, '--verdict-key', options.verdictKey],
      // Registries, token services and logs of a stack are on this machine.
      ...['--metrics', 'off', ...(options.allowInternal ?? LOOPBACK).flatMap((one) => ['--allow-internal', one])],
      ...(options.args ?? []),
    ],
    dir: options.dir,
    env: { ...options.env, TEMPORAL_ADDRESS: options.temporal },
    ready: async () => (await countReady(`${options.dir}/${name}.log`)) > said,
    graceMs: 20_000,
  });
}

/** A log outlives its process: only a new line counts. */
async function countReady(log: string): Promise<number> {
  const text = await readFile(log, 'utf8').catch(() => '');
  return text.split('"message":"ready"').length;
}

export interface ShimOptions {
  readonly dir: string;
  /** `portcullis` of a release; without it, of the checkout. */
  readonly program?: string;
  readonly name?: string;
  readonly temporal: string;
  readonly verdictKeys: string;
  readonly launcherSocket: string;
  readonly grpcSocket: string;
  readonly taskQueue?: string;
  /** Without it that of the task queue. */
  readonly fleet?: string;
  /** `host:port` of /metrics. */
  readonly metrics?: string;
  /** The folder of what is remembered over a restart; without it nothing is. */
  readonly state?: string;
  /** The folder of the bootstrap lists. */
  readonly bootstrap?: string;
  /** The socket of a containerd that it proves to itself, every 5 minutes and whenever it is another one. */
  readonly canaryOf?: string;
}

/** Starts `portcullis shim` and waits until it answers on both its sockets, which it does without Temporal too. */
export async function startShim(options: ShimOptions): Promise<ServerProcess> {
  return await startServer({
    name: options.name ?? 'shim',
    program: options.program ?? PROGRAM,
    args: [
      ...['shim', '--verdict-keys', options.verdictKeys, '--node', 'node-1'],
      ...['--socket', options.launcherSocket, '--grpc-socket', options.grpcSocket],
      ...['--metrics', options.metrics ?? 'off'],
      ...(options.taskQueue === undefined ? [] : ['--task-queue', options.taskQueue]),
      ...(options.fleet === undefined ? [] : ['--fleet', options.fleet]),
      ...(options.state === undefined ? [] : ['--state', options.state]),
      ...(options.bootstrap === undefined ? [] : ['--bootstrap', options.bootstrap]),
      ...(options.canaryOf === undefined ? [] : ['--canary-every', '5m', '--containerd', options.canaryOf]),
    ],
    dir: options.dir,
    env: { TEMPORAL_ADDRESS: options.temporal },
    // the gate opens first, and the gRPC service, which commands ask, a moment later
    ready: async () => (await accepts(options.launcherSocket)) && (await accepts(options.grpcSocket)),
    graceMs: 20_000,
  });
}

/** Whether somebody listens on a Unix socket. */
export function accepts(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
