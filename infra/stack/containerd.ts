import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectCri } from '../../shim/containerd/cri.ts';
import { obtain } from '../tools/obtain.ts';
import { type ContainerdSettings, containerdConfig } from './containerd-config.ts';
import { overlayWorks, unmountUnder } from './mounts.ts';
import { type ServerProcess, startServer } from './process.ts';

export interface ContainerdOptions {
  readonly dir: string;
  /** The folder of verifiers; containerd runs every file in it, and allows every pull while it does not exist. */
  readonly binDir: string;
  /** A Go duration; containerd's own default is `10s`. */
  readonly perVerifierTimeout?: string;
  /** How many of the verifiers run, the first by name; without, all. */
  readonly maxVerifiers?: number;
  /** `previous` and `older` are lines that are still supported. */
  readonly version?: ContainerdVersion;
  /** `host:port` of a registry that CRI pulls reach by plain HTTP. */
  readonly plainHttpRegistry?: string;
  /** Environment of containerd, which its verifiers inherit. */
  readonly extraEnv?: Readonly<Record<string, string>>;
  /** Changes the text of the configuration file, for what a node may have been told. */
  readonly change?: (toml: string) => string;
  /** Log at debug level, where containerd writes what verifiers print on stderr. */
  readonly debug?: boolean;
}

export type ContainerdVersion = 'current' | 'previous' | 'older';

/** What a `ctr` command printed, and its exit code. */
export interface CtrResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Containerd extends ServerProcess {
  /** Path of the Unix socket that serves gRPC, CRI included. */
  readonly address: string;
  /** Runs `ctr` against this containerd. Pulls from a plain HTTP registry need `--plain-http`. */
  ctr(args: readonly string[]): Promise<CtrResult>;
}

/** Of a Unix socket's path, terminating zero included (unix(7)); containerd adds `.ttrpc` to one of the two. */
const SOCKET_PATH_BYTES = 108;

/**
 * Starts a containerd of its own kind: root, state, config and socket in `dir`, no runc and no CNI needed, because only
 * images are pulled. It must run as root, because unpacking mounts. Its CRI serves on the same socket. Rejects as
 * `startServer` does; `stop` also unmounts what is left.
 */
export async function startContainerd(options: ContainerdOptions): Promise<Containerd> {
  const { dir } = options;
  const address = join(dir, 'containerd.sock');
  requireRoot();
  requireShortPath(`${address}.ttrpc`);
  const programs = await containerdPrograms(options.version ?? 'current');
  const snapshotter = (await overlayWorks(dir)) ? 'overlayfs' : 'native';
  const config = join(dir, 'containerd.toml');
  const hostsDir = join(dir, 'hosts');
  await writeHosts(hostsDir, options.plainHttpRegistry);
  const settings: ContainerdSettings = {
    ...{ schema: programs.schema, dir, address, hostsDir, snapshotter, platform: platform() },
    binDir: options.binDir,
    perVerifierTimeout: options.perVerifierTimeout ?? '10s',
    maxVerifiers: options.maxVerifiers ?? -1,
    logLevel: options.debug === true ? 'debug' : 'info',
  };
  await writeFile(config, (options.change ?? ((toml) => toml))(containerdConfig(settings)));

  const ctr = (args: readonly string[]) =>
    runCtr(programs.ctr, ['--address', address, ...args], { CONTAINERD_SNAPSHOTTER: snapshotter });
  const server = await startServer({
    name: 'containerd',
    program: programs.containerd,
    args: ['--config', config],
    dir,
    ...(options.extraEnv !== undefined && { env: options.extraEnv }),
    ready: async () => (await ctr(['version'])).code === 0 && (await answersCri(address)),
  });
  return {
    ...server,
    address,
    ctr,
    stop: async () => {
      await server.stop();
      await unmountUnder(dir);
      for (const socket of [address, `${address}.ttrpc`]) await rm(socket, { force: true });
    },
  };
}

/** The programs of a line, and the schema that its configuration is written in here. */
export async function containerdPrograms(version: ContainerdVersion) {
  switch (version) {
    case 'current':
      return { ...(await obtain(['containerd', 'ctr'])), schema: 4 } as const;
    case 'previous': {
      const programs = await obtain(['containerd-previous', 'ctr-previous']);
      return { containerd: programs['containerd-previous'], ctr: programs['ctr-previous'], schema: 3 } as const;
    }
    case 'older': {
      const programs = await obtain(['containerd-older', 'ctr-older']);
      return { containerd: programs['containerd-older'], ctr: programs['ctr-older'], schema: 3 } as const;
    }
  }
}

function requireRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new Error('containerd unpacks images with mounts and must run as root: run this as root, for example by sudo');
}

function requireShortPath(socket: string): void {
  if (Buffer.byteLength(socket) < SOCKET_PATH_BYTES) return;
  throw new Error(
    `expected a socket path of less than ${SOCKET_PATH_BYTES} bytes: use a shorter folder than ${socket}`,
  );
}

/** In the layout of containerd's docs/hosts.md; a `server` line alone says plain HTTP. */
async function writeHosts(hostsDir: string, plainHttpRegistry: string | undefined): Promise<void> {
  await mkdir(hostsDir, { recursive: true });
  if (plainHttpRegistry === undefined) return;
  const folder = join(hostsDir, plainHttpRegistry);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'hosts.toml'), `server = "http://${plainHttpRegistry}"\n`);
}

async function answersCri(address: string): Promise<boolean> {
  const cri = connectCri(address);
  try {
    return (await cri.version()).runtimeName === 'containerd';
  } finally {
    cri.close();
  }
}

/** Go's names for this machine. */
function platform(): string {
  return `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`;
}

function runCtr(program: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<CtrResult> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { env: { ...process.env, ...env } }, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      if (typeof code === 'number') resolve({ code, stdout, stderr });
      else reject(new Error(`${program} could not be run: ${error?.message}`, { cause: error }));
    });
  });
}
