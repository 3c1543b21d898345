import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ContainerdVersion, containerdPrograms } from '../../infra/stack/containerd.ts';
import { freePort } from '../../infra/stack/ports.ts';
import { bootNode, makeNodeDisk, type Said, type SystemdNode } from '../support/systemd-node.ts';

/** What a node is told before anybody has installed portcullis on it. */
export interface NodeOptions {
  readonly version: ContainerdVersion;
  /** containerd's main file. */
  readonly main: string;
  /** `host:port` of registries that are reached by plain HTTP. */
  readonly plainHttp?: readonly string[];
}

/** A node with a real systemd and, as its service, a real containerd. */
export interface BareNode extends SystemdNode {
  /** Where its disk is, also while it is off. */
  readonly disk: string;
  readonly ctr: string;
  /** Where the daemon's metrics are. */
  readonly metrics: string;
  /** Starts containerd again and waits until it says that it is ready. */
  restartContainerd(): Promise<Said>;
  /** Boots the same disk again. */
  boot(): Promise<BareNode>;
}

/** As most nodes are: containerd starts with the machine, and again when it ends; here as often as a test wants. */
const unit = (containerd: string) => `[Unit]
Description=containerd
StartLimitIntervalSec=0
[Service]
Type=notify
ExecStart=${containerd} --config /etc/containerd/config.toml
Restart=always
RestartSec=1
KillMode=process
Delegate=yes
OOMScoreAdjust=-999
[Install]
WantedBy=node.target
`;

/** Boots a new node below `dir` with containerd running. Its daemon will serve metrics at a port of its own, because nodes share the network. */
export async function startBareNode(dir: string, options: NodeOptions): Promise<BareNode> {
  const disk = await mkdtemp(join(dir, 'node-'));
  const { containerd, ctr } = await containerdPrograms(options.version);
  const metrics = `127.0.0.1:${await freePort()}`;
  await makeNodeDisk(disk, { 'containerd.service': unit(containerd) });
  await write(disk, '/etc/containerd/config.toml', options.main);
  for (const host of options.plainHttp ?? []) {
    await write(disk, `/etc/containerd/certs.d/${host}/hosts.toml`, `server = "http://${host}"\n`);
  }
  await write(
    disk,
    '/etc/portcullis/shim.yaml',
    [
      '# written by whoever runs this node',
      'verdict-keys: /etc/portcullis/verdict-keys',
      'bootstrap: /etc/portcullis/bootstrap',
      'state: /var/lib/portcullis',
      `metrics: "${metrics}"`,
      '',
    ].join('\n'),
  );
  const boot = async (): Promise<BareNode> => {
    const node = await bootNode(disk);
    const started = await node.run('systemctl', 'start', 'containerd');
    if (started.code !== 0) throw new Error(started.stderr);
    return {
      ...node,
      disk,
      ctr,
      metrics,
      boot,
      restartContainerd: () => node.run('systemctl', 'restart', 'containerd'),
    };
  };
  return await boot();
}

async function write(disk: string, path: string, text: string): Promise<void> {
  await mkdir(join(disk, path, '..'), { recursive: true });
  await writeFile(join(disk, path), text);
}

/** Main files as nodes have them, one for each schema. Two of them pull without the transfer service, and were never told how it unpacks. */
export const MAIN_FILES: Readonly<Record<ContainerdVersion, string>> = {
  current: `# the node's own
version = 4
imports = ["/etc/containerd/conf.d/*.toml"]

[plugins."io.containerd.cri.v1.images"]
  snapshotter = "native" # a disk may be an overlay already

[[plugins."io.containerd.transfer.v1.local".unpack_config]]
  platform = "linux/${process.arch === 'x64' ? 'amd64' : process.arch}"
  snapshotter = "native"
`,
  previous: `version = 3

[plugins."io.containerd.cri.v1.images"]
  snapshotter = "native"
  max_concurrent_downloads = 7
`,
  // As kind writes it, but for its mirrors.
  older: `# explicitly use v2 config format
version = 2

[plugins."io.containerd.grpc.v1.cri".containerd]
  # save disk space when using a single snapshotter
  discard_unpacked_layers = true
  snapshotter = "native"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
`,
};
