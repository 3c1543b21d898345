import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { killWithParent } from './kill-with-parent.ts';

const POLL_MS = 50;
const READY_MS = 60_000;
const GRACE_MS = 10_000;
/** Of a log in an error: enough for the cause, short enough to read. */
const TAIL_LINES = 20;

export interface ServerOptions {
  /** Names the server in errors, and its log file. */
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  /** Working directory and place of the log. */
  readonly dir: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Asked again and again until it says true. */
  readonly ready: () => Promise<boolean>;
  readonly readyTimeoutMs?: number;
  /** From SIGTERM to SIGKILL. */
  readonly graceMs?: number;
}

/** A server that runs as a child process, in its own process group. */
export interface ServerProcess {
  readonly pid: number;
  /** The file with all it prints. */
  readonly log: string;
  /** Ends it and everything in its process group. Can be called again, and after it ended by itself. */
  stop(): Promise<void>;
  /** Freezes it, as a hung server is: its sockets accept and nothing answers. */
  suspend(): void;
  resume(): void;
}

/**
 * Starts a server and waits until it is ready. Rejects with the end of its log when it ends before that or takes longer
 * than `readyTimeoutMs`, and then leaves no process behind. It is killed when this process ends.
 */
export async function startServer(options: ServerOptions): Promise<ServerProcess> {
  const log = join(options.dir, `${options.name}.log`);
  const output = await open(log, 'a');
  const child = spawn(options.program, options.args, {
    cwd: options.dir,
    detached: true,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', output.fd, output.fd],
  });
  const ended = endOf(child);
  await output.close();
  const { pid } = child;
  if (pid === undefined) throw new Error(`${options.name} could not be started: ${await ended}`);

  const forget = killWithParent(pid);
  void ended.then(forget);
  const server: ServerProcess = {
    pid,
    log,
    stop: () => stop(child, pid, ended, options.graceMs ?? GRACE_MS),
    suspend: () => freeze(pid),
    resume: () => signal(pid, 'SIGCONT'),
  };
  const failure = await untilReady(options, ended);
  if (failure === undefined) return server;
  await server.stop();
  throw new Error(`${options.name} ${failure}; the end of ${log}:\n${await tail(log)}`);
}

/** Settles with what ended the process, or kept it from starting. */
function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, killedBy) => resolve(code === null ? `killed by ${killedBy}` : `exit code ${code}`));
  });
}

async function untilReady(options: ServerOptions, ended: Promise<string>): Promise<string | undefined> {
  const limit = options.readyTimeoutMs ?? READY_MS;
  const controller = new AbortController();
  const { signal } = controller;
  const poll = async (): Promise<undefined> => {
    while (!signal.aborted && !(await options.ready().catch(() => false))) await delay(POLL_MS);
  };
  try {
    return await Promise.race([
      poll(),
      ended.then((how) => `ended before it was ready (${how})`),
      delay(limit, `was not ready within ${limit / 1000} s`, { signal }),
    ]);
  } finally {
    controller.abort();
  }
}

/**
 * Threads are stopped one after the other: the last of them may still answer when the signal has been sent. One in a sleep that nothing
 * interrupts (D, as a parent whose child was stopped between vfork and exec) runs nothing before it stops.
 */
function freeze(pid: number): void {
  signal(pid, 'SIGSTOP');
  const tasks = `/proc/${pid}/task`;
  const isRunning = (task: string) => !/\) [TtZXD] /.test(readFileSync(`${tasks}/${task}/stat`, 'latin1'));
  while (readdirSync(tasks).some(isRunning));
}

async function stop(child: ChildProcess, pid: number, ended: Promise<string>, graceMs: number): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    signal(pid, 'SIGTERM');
    // A suspended process gets no SIGTERM before it goes on.
    signal(pid, 'SIGCONT');
    const controller = new AbortController();
    const inTime = await Promise.race([
      ended.then(() => true),
      delay(graceMs, false, { signal: controller.signal }).catch(() => true),
    ]);
    controller.abort();
    if (!inTime) signal(pid, 'SIGKILL');
    await ended;
  }
  // What the server itself started may outlive it.
  signal(pid, 'SIGKILL');
  while (await isGroupAlive(pid)) await delay(POLL_MS);
}

/** A zombie, which only waits for its parent to notice, is not alive; in a container nobody may ever notice (proc(5)). */
async function isGroupAlive(pid: number): Promise<boolean> {
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(processes.map((name) => readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')));
  return stats.some((stat) => {
    const [, state, group] = /.*\) (\w) \d+ (\d+)/s.exec(stat) ?? [];
    return state !== 'Z' && state !== 'X' && Number(group) === pid;
  });
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name);
  } catch {
    // Nothing is left of the group.
  }
}

async function tail(log: string): Promise<string> {
  return (await readFile(log, 'utf8')).trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
}
