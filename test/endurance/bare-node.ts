import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { accepts } from '../../infra/stack/portcullis.ts';
import { createTestVerdictKey, digestOf } from '../support/verdicts.ts';

const PROGRAM = fileURLToPath(new URL('../../infra/portcullis', import.meta.url));

/** What is on the bootstrap list of the node, and its name. */
export const LISTED = digestOf('ab');
export const NAME = 'a.example/b:v1';

export interface Usage {
  readonly residentMiB: number;
  readonly descriptors: number;
}

/** A `portcullis shim` without any backend, as people run it. */
export interface BareNode extends AsyncDisposable {
  readonly pid: number;
  readonly sockets: readonly [launcher: string, grpc: string];
  readonly directory: string;
}

/** Starts one that may open so many files, and waits until it answers. */
export async function startNode(openFiles: number): Promise<BareNode> {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-faults-'));
  const directory = join(dir, 'run');
  const sockets = [join(directory, 'launcher.sock'), join(directory, 'grpc.sock')] as const;
  await mkdir(join(dir, 'bootstrap'), { mode: 0o700 });
  await writeFile(join(dir, 'bootstrap', 'node.list'), `${LISTED}  ${NAME}\n`, { mode: 0o600 });
  await writeFile(join(dir, 'verdict.pub'), createTestVerdictKey().publicKey.export({ type: 'spki', format: 'pem' }));
  const words = [
    ...['shim', '--verdict-keys', join(dir, 'verdict.pub'), '--bootstrap', join(dir, 'bootstrap'), '--metrics', 'off'],
    ...['--socket', sockets[0], '--grpc-socket', sockets[1]],
  ];
  const daemon = spawn('sh', ['-c', `ulimit -n ${openFiles}; exec "$0" "$@"`, PROGRAM, ...words], {
    env: { ...process.env, TEMPORAL_ADDRESS: '127.0.0.1:1' },
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  const exited = once(daemon, 'exit');
  while (!(await accepts(sockets[0]))) {
    if (daemon.exitCode !== null) throw new Error('the daemon ended before it answered');
    await delay(20);
  }
  return {
    ...{ pid: daemon.pid ?? 0, sockets, directory },
    async [Symbol.asyncDispose]() {
      daemon.kill('SIGKILL');
      await exited;
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** What a process takes now. */
export async function usage(pid: number): Promise<Usage> {
  const kilobytes = /^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
  const descriptors = (await readdir(`/proc/${pid}/fd`)).length;
  return { residentMiB: Math.round(Number(kilobytes) / 1024), descriptors };
}
