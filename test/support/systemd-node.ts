import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type ServerProcess, startServer } from '../../infra/stack/process.ts';

export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * A node of its own: a real systemd as process 1 of its namespaces, with `/etc`, `/opt`, `/run` and `/var/lib` of its own, and the network
 * of this machine. Its units are those that it is given, and no others of the machine.
 */
export interface SystemdNode {
  /** Runs a program on the node, as root. */
  run(program: string, ...args: readonly string[]): Promise<Said>;
  /** The path of a file of the node, of a socket too, seen from here while it runs. */
  path(onNode: string): string;
  /** As a power cut does. What is on its disk stays. */
  cut(): Promise<void>;
}

/** The folders that a node has for itself, and what is in them at first. */
const OWN = ['etc', 'opt', 'var/lib'];

/** Namespaces alone would share the machine's root cgroup, in which two nodes kill each other's services. */
const BOOT = `set -e
node=$1
unified=$(awk '$3 == "cgroup2" {print $2; exit}' /proc/mounts)
mkdir -p "$unified/portcullis-$$"
echo $$ > "$unified/portcullis-$$/cgroup.procs"
echo $$ > "$node/boot.pid"
echo "$unified/portcullis-$$" > "$node/boot.cgroup"
exec unshare --pid --mount --fork --cgroup --ipc --uts --mount-proc --kill-child sh -c '
  set -e
  for folder in etc opt var/lib; do mount --bind "$0/$folder" "/$folder"; done
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -p /run/systemd/system
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  exec "$1" --system --unit=node.target --show-status=no --log-target=console
' "$node" "$2"
`;

/** Where distributions have it. */
const SYSTEMD = '/usr/lib/systemd/systemd';

/** What every service of a real machine waits for; here each is there at once. */
const TARGETS = ['sysinit', 'basic', 'local-fs', 'multi-user', 'shutdown', 'node'];
const TARGET = '[Unit]\nDefaultDependencies=no\n';

/** Of systemd's own units: the log. */
const JOURNAL = ['systemd-journald.service', 'systemd-journald.socket', 'systemd-journald-dev-log.socket'];

/** Makes the disk of a node: a copy of this machine's /etc without its units, and the ones that are given, by their file names. */
export async function makeNodeDisk(dir: string, units: Readonly<Record<string, string>>): Promise<void> {
  if (!existsSync(SYSTEMD))
    throw new Error(`a node is booted with ${SYSTEMD}, which is missing: apt-get install systemd`);
  for (const folder of OWN) await mkdir(join(dir, folder), { recursive: true });
  await cp('/etc', join(dir, 'etc'), {
    recursive: true,
    filter: (path) => !/^\/etc\/(systemd\/system|portcullis|containerd)(\/|$)/.test(path),
    verbatimSymlinks: true,
  });
  const system = join(dir, 'etc/systemd/system');
  await mkdir(system, { recursive: true });
  for (const name of TARGETS) await writeFile(join(system, `${name}.target`), TARGET);
  for (const name of JOURNAL) await cp(join(dirname(SYSTEMD), 'system', name), join(system, name));
  await writeFile(join(system, 'node.target'), `${TARGET}Wants=${JOURNAL.join(' ')}\n`);
  for (const [name, text] of Object.entries(units)) await writeFile(join(system, name), text);
}

/** Boots it and waits until systemd has started what `node.target` wants. Needs root. */
export async function bootNode(dir: string): Promise<SystemdNode> {
  let inside = 0;
  const enter = (program: string, args: readonly string[]) =>
    run('nsenter', ['-t', String(inside), '-m', '-p', '-i', '-u', '--', program, ...args]);
  const server: ServerProcess = await startServer({
    name: 'systemd',
    program: 'sh',
    args: ['-c', BOOT, 'boot', dir, SYSTEMD],
    dir,
    env: { SYSTEMD_UNIT_PATH: '/etc/systemd/system', container: 'portcullis', SYSTEMD_LOG_LEVEL: 'notice' },
    ready: async () => {
      inside = await findInside(dir);
      const { stdout } = await enter('systemctl', ['is-system-running']);
      return /^(running|degraded)$/.test(stdout.trim());
    },
    graceMs: 0,
  });
  return {
    run: (program, ...args) => enter(program, args),
    path: (onNode) => `/proc/${inside}/root${onNode}`,
    cut: async () => {
      await server.stop();
      await run('sh', ['-c', 'find "$(cat "$1/boot.cgroup")" -depth -type d -exec rmdir {} +', 'sh', dir]);
      await rm(join(dir, 'systemd.log'), { force: true });
    },
  };
}

/** Process 1 of the node, as this machine numbers it: the one child of the process that made its namespaces. */
async function findInside(dir: string): Promise<number> {
  const outside = Number(await readFile(join(dir, 'boot.pid'), 'utf8'));
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    const [, parent] = /\) \w (\d+) /.exec(stat) ?? [];
    if (Number(parent) === outside) return Number(pid);
  }
  throw new Error('the node has no process yet');
}

function run(program: string, args: readonly string[]): Promise<Said> {
  return new Promise((resolve, reject) => {
    execFile(program, [...args], { maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      if (typeof code === 'number') resolve({ code, stdout, stderr });
      else reject(new Error(`${program} could not be run: ${error?.message}`, { cause: error }));
    });
  });
}
