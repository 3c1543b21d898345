import { execFile } from 'node:child_process';
import { readdir, readFile, readlink, stat } from 'node:fs/promises';

/** A containerd program with the configuration that it is given. */
export interface ContainerdProgram {
  readonly binary: string;
  /** Of `--config`; containerd's default is /etc/containerd/config.toml. */
  readonly config: string;
  /** When it started, Unix ms; `undefined` for one that doesn't run. */
  readonly startedAt: number | undefined;
  /** The socket of `--address`, which counts more than that of the configuration. */
  readonly address?: string;
  /** The systemd service that it runs in, such as `containerd.service` or `k3s.service`. */
  readonly service?: string;
}

const DEFAULT_CONFIG = '/etc/containerd/config.toml';

/** Runs a program for at most so long, in ms, and takes so much of what it prints, in bytes. */
const LIMITS = { timeout: 10_000, maxBuffer: 4 * 1024 * 1024 };

/** The containerd that runs on this node, by /proc; `undefined` when none does. The oldest of several. */
export async function findRunning(): Promise<ContainerdProgram | undefined> {
  return (await allRunning())[0];
}

/** Every containerd that runs on this node, the oldest first. */
export async function allRunning(): Promise<readonly ContainerdProgram[]> {
  const found: ContainerdProgram[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const running = await readProcess(`/proc/${pid}`).catch(() => undefined); // gone, or not ours to look at
    if (running !== undefined) found.push(running);
  }
  return found.toSorted((a, b) => (a.startedAt ?? 0) - (b.startedAt ?? 0));
}

async function readProcess(proc: string): Promise<ContainerdProgram | undefined> {
  if ((await readFile(`${proc}/comm`, 'utf8')).trim() !== 'containerd') return undefined;
  const args = (await readFile(`${proc}/cmdline`, 'utf8')).split('\0');
  // the binary that runs, also when its file was replaced by an upgrade
  const binary = (await readlink(`${proc}/exe`)).endsWith(' (deleted)') ? `${proc}/exe` : await readlink(`${proc}/exe`);
  const address = flagOf(args, 'address|a');
  const [service] = /[^/\n]+\.service(?=$|\/|\n)/m.exec(await readFile(`${proc}/cgroup`, 'utf8')) ?? [];
  return {
    ...{ binary, config: configOf(args), startedAt: (await stat(proc)).ctimeMs },
    ...(address !== undefined && { address }),
    ...(service !== undefined && { service }),
  };
}

/** `--config FILE`, `-c FILE` and `--config=FILE`, as containerd's flags are. */
export function configOf(args: readonly string[]): string {
  return flagOf(args, 'config|c') ?? DEFAULT_CONFIG;
}

function flagOf(args: readonly string[], flag: string): string | undefined {
  for (const [index, arg] of args.entries()) {
    const [, joined] = new RegExp(`^--?(?:${flag})=(.+)$`, 's').exec(arg) ?? [];
    if (joined !== undefined) return joined;
    if (new RegExp(`^--?(?:${flag})$`).test(arg)) return args[index + 1];
  }
  return undefined;
}

/** What the binary makes of a configuration file, in TOML, and what it warns of. */
export interface Dump {
  readonly toml: string;
  readonly warnings: string;
}

/** `config dump`. Rejects with the line that tells why when containerd can't make anything of the file. */
export async function dumpConfiguration({ binary, config }: ContainerdProgram): Promise<Dump> {
  const { stdout, stderr } = await run(binary, ['--config', config, 'config', 'dump']);
  return { toml: stdout, warnings: stderr };
}

/** As numbers, `[2, 4, 2]`. */
export type ContainerdVersion = readonly [major: number, minor: number, patch: number];

/** The version of the file; `undefined` when it does not tell any. */
export async function versionOf({ binary }: ContainerdProgram): Promise<ContainerdVersion | undefined> {
  // a word of its own: the module path before it may have numbers too
  const version = /(?<!\S)v?(\d+)\.(\d+)\.(\d+)(?=[-+~\s]|$)/;
  const [, major, minor, patch] = version.exec((await run(binary, ['--version'])).stdout) ?? [];
  return major === undefined ? undefined : [Number(major), Number(minor), Number(patch)];
}

function run(binary: string, args: readonly string[]): Promise<{ readonly stdout: string; readonly stderr: string }> {
  return new Promise((resolve, reject) => {
    execFile(binary, args, LIMITS, (error, stdout, stderr) => {
      if (error === null) resolve({ stdout, stderr });
      else {
        const lines = stderr.trim().split('\n');
        const said = lines.find((line) => line.startsWith('panic:')) ?? lines.at(-1);
        reject(new Error(`${binary} ${args.join(' ')}: ${(said || error.message).slice(0, 500)}`));
      }
    });
  });
}
