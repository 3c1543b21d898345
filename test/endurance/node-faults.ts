import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { accepts } from '../../infra/stack/portcullis.ts';
import { type LauncherRun, runLauncher } from '../support/launcher.ts';
import { encodeRequest, verifierInput } from '../support/launcher-request.ts';
import { digestOf } from '../support/verdicts.ts';
import { type BareNode, LISTED, NAME, startNode, type Usage, usage } from './bare-node.ts';

const UNKNOWN = digestOf('cd');

/** What one fault came to. */
export interface Faulted {
  readonly fault: string;
  /** Exit codes and codes of reasons of warm pulls while the fault lasted: `allowed`, or why not. */
  readonly warm: readonly string[];
  /** The same of an image that nobody knows. */
  readonly cold: readonly string[];
  /** From the end of the fault to the first warm pull that was let in, in ms. */
  readonly recoveredMs: number;
  readonly before: Usage;
  readonly peak: Usage;
  readonly after: Usage;
}

export interface FaultSizes {
  readonly silent: number;
  readonly garbageMiB: number;
  /** `ulimit -n` of the daemon. */
  readonly openFiles: number;
}

/** Puts one daemon, without any backend and with one digest on its bootstrap list, through each fault. */
export async function endureNodeFaults(sizes: FaultSizes, said: (line: string) => void = () => {}): Promise<Faulted[]> {
  await using node = await startNode(sizes.openFiles);
  const faults: readonly Fault[] = [
    silence(`${sizes.silent} connections say nothing`, sizes.silent, 0),
    silence(`${sizes.silent} connections to the gRPC socket say nothing`, sizes.silent, 1),
    garbage(`${sizes.garbageMiB} MiB of garbage`, sizes.garbageMiB, () => Buffer.alloc(CHUNK, 0xa5)),
    garbage(`${sizes.garbageMiB} MiB of requests without end`, sizes.garbageMiB, () => UNFINISHED),
    descriptorsSpent,
    directoryRemoved,
  ];
  const endured: Faulted[] = [];
  for (const fault of faults) {
    const faulted = await endureOne(node, fault);
    endured.push(faulted);
    said(rowOf(faulted));
  }
  return endured;
}

interface Fault {
  readonly name: string;
  /** Lasts until it is ended; `settled` when nothing more comes of it by itself. */
  begin(node: BareNode): Promise<{ readonly settled: Promise<unknown>; end(): Promise<void> }>;
}

async function endureOne(node: BareNode, fault: Fault): Promise<Faulted> {
  const before = await usage(node.pid);
  let peak = before;
  const [warm, cold] = [new Set<string>(), new Set<string>()];
  const { settled, end } = await fault.begin(node);
  let isOver = false;
  void settled.then(() => (isOver = true));
  do {
    const pulls = await Promise.all([pull(node, NAME, LISTED), pull(node, MALFORMED, UNKNOWN)]);
    warm.add(wordOf(pulls[0].exitCode, pulls[0].stdout));
    cold.add(wordOf(pulls[1].exitCode, pulls[1].stdout));
    peak = larger(peak, await usage(node.pid));
  } while (!isOver);
  await end();
  const recoveredMs = await firstAllowed(node);
  let after = await usage(node.pid);
  for (let waited = 0; waited < LINGER_MS && after.descriptors > before.descriptors; waited += 100) {
    await delay(100);
    after = await usage(node.pid);
  }
  return { fault: fault.name, warm: [...warm], cold: [...cold], recoveredMs, before, peak, after };
}

/** What lingers of a fault is cut, and every question of its time answered, by then, in ms. */
const LINGER_MS = 10_000;

/** A name that contradicts the digest: refused at once, where an unknown image would be waited for. */
const MALFORMED = `${NAME}@${LISTED}`;

/** The deadline of these launchers, in ms: whoever hears nothing says so sooner than on a node. */
const DEADLINE_MS = 3_000;

/** The real launcher, as containerd runs it. */
function pull(node: BareNode, name: string, digest: string): Promise<LauncherRun> {
  const { args, stdin } = verifierInput(name, digest);
  return runLauncher({
    ...{ socket: node.sockets[0], arguments: args, stdin: Buffer.from(stdin) },
    environment: { PORTCULLIS_DEADLINE_MS: String(DEADLINE_MS) },
  });
}

/** After how many ms a warm pull is let in. One begins every 200 ms: who comes too early waits for a backend. */
async function firstAllowed(node: BareNode): Promise<number> {
  const begun = performance.now();
  let took: number | undefined;
  const pulls: Promise<void>[] = [];
  const pullOnce = async () => {
    const { exitCode } = await pull(node, NAME, LISTED);
    if (exitCode === 0) took ??= Math.round(performance.now() - begun);
  };
  while (took === undefined) {
    pulls.push(pullOnce());
    await Promise.race([delay(200), pulls.at(-1)]);
  }
  await Promise.all(pulls);
  return took;
}

function wordOf(exitCode: number | null, stdout: string): string {
  return exitCode === 0 ? 'allowed' : (/^[A-Z_]+/.exec(stdout)?.[0] ?? `exit ${exitCode} ${stdout}`);
}

function silence(name: string, count: number, socket: 0 | 1): Fault {
  return {
    name,
    async begin(node) {
      const open = new Set<Socket>();
      let opened = 0;
      let ended = false;
      const openOne = async () => {
        const connection = connect(node.sockets[socket]).on('error', () => {});
        connection.on('close', () => open.delete(connection));
        try {
          await once(connection, 'connect');
          open.add(connection);
          opened++;
        } catch {
          await delay(5); // the queue is full
        }
      };
      const opening = async () => {
        while (opened < count && !ended) await Promise.all(Array.from({ length: 50 }, openOne));
      };
      const settled = opening();
      return {
        settled,
        async end() {
          ended = true;
          await settled;
          for (const connection of open) connection.destroy();
        },
      };
    },
  };
}

const CHUNK = 65_536;
const WRITERS = 16;

/** All of the largest request but its end. */
const UNFINISHED = encodeRequest([], Buffer.alloc(1024 * 1024)).subarray(0, -1);

function garbage(name: string, mebibytes: number, make: () => Buffer): Fault {
  return {
    name,
    async begin(node) {
      const bytes = make();
      let left = mebibytes * 1024 * 1024;
      const write = async () => {
        while (left > 0) {
          const connection = connect(node.sockets[0]).on('error', () => {});
          connection.resume();
          let isClosed = false;
          const closed = new Promise<void>((resolve) => connection.once('close', () => resolve()));
          void closed.then(() => (isClosed = true));
          while (!isClosed && left > 0) {
            left -= bytes.length;
            const hasRoom = connection.write(bytes);
            if (bytes === UNFINISHED)
              await closed; // or a second one would show that it is none
            else if (!hasRoom)
              await Promise.race([new Promise((drained) => connection.once('drain', drained)), closed]);
          }
          connection.destroy();
          await delay(1);
        }
      };
      const settled = Promise.all(Array.from({ length: WRITERS }, write));
      return { settled, end: async () => void (await settled) };
    },
  };
}

const descriptorsSpent: Fault = {
  name: 'no file descriptor is left',
  async begin(node) {
    const limit = async (files: number) =>
      void (await promisify(execFile)('prlimit', ['--pid', String(node.pid), `--nofile=${files}:`]));
    const usual = Number(/^Max open files +(\d+)/m.exec(await readFile(`/proc/${node.pid}/limits`, 'utf8'))?.[1]);
    await limit(1);
    return { settled: delay(1_000), end: () => limit(usual) };
  },
};

const directoryRemoved: Fault = {
  name: 'the directory of the sockets is removed',
  async begin(node) {
    await rm(node.directory, { recursive: true });
    const isBack = async () => {
      for (const path of node.sockets) while (!(await accepts(path))) await delay(20);
    };
    return { settled: isBack(), end: async () => {} };
  },
};

function larger(one: Usage, other: Usage): Usage {
  return {
    residentMiB: Math.max(one.residentMiB, other.residentMiB),
    descriptors: Math.max(one.descriptors, other.descriptors),
  };
}

function rowOf({ fault, warm, cold, recoveredMs, before, peak, after }: Faulted): string {
  const memory = [before, peak, after].map(({ residentMiB }) => residentMiB).join('/');
  const files = [before, peak, after].map(({ descriptors }) => descriptors).join('/');
  return `| ${fault} | ${warm.join(', ')} | ${cold.join(', ')} | ${recoveredMs} | ${memory} | ${files} |`;
}

/** The first rows of the table that {@link endureNodeFaults} says. */
export const TABLE_HEAD = [
  '| fault | warm pulls meanwhile | others meanwhile | warm again after ms | MiB before/peak/after | descriptors before/peak/after |',
  '| --- | --- | --- | --- | --- | --- |',
];

if (import.meta.main) {
  for (const line of TABLE_HEAD) console.log(line);
  const endured = await endureNodeFaults({ silent: 10_000, garbageMiB: 1_024, openFiles: 20_000 }, console.log);
  const slow = endured.filter(({ recoveredMs }) => recoveredMs > 5_000);
  const open = endured.filter(({ cold }) => cold.includes('allowed'));
  console.log(
    `${open.length} faults opened the gate, ${slow.length} kept warm pulls out for more than 5 s after their end`,
  );
  process.exitCode = open.length + slow.length === 0 ? 0 : 1;
}
