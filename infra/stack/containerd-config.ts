/** What a containerd of our own is told. All paths are absolute. */
export interface ContainerdSettings {
  /** The schema: containerd 2.4 has 4, the lines before have 3 and put the listeners elsewhere. */
  readonly schema: 3 | 4;
  readonly dir: string;
  readonly address: string;
  readonly binDir: string;
  readonly perVerifierTimeout: string;
  /** Negative for all. */
  readonly maxVerifiers: number;
  /** One folder with a `hosts.toml` for each registry. */
  readonly hostsDir: string;
  readonly snapshotter: 'overlayfs' | 'native';
  /** As in `linux/amd64`. */
  readonly platform: string;
  readonly logLevel: 'info' | 'debug';
}

/**
 * The config file of a containerd that keeps everything in its own folder, has the bindir verifier and the CRI plugin,
 * and pulls through the transfer service for both clients. Nothing in the images section may be one of the settings that
 * make CRI fall back to pulls without verifiers (containerd 2.4.2, internal/cri/config).
 */
export function containerdConfig(settings: ContainerdSettings): string {
  const { dir } = settings;
  return `version = ${settings.schema}
root = ${quote(`${dir}/root`)}
state = ${quote(`${dir}/state`)}
temp = ${quote(`${dir}/temp`)}
imports = []
required_plugins = ${list([
    'io.containerd.image-verifier.v1.bindir',
    'io.containerd.transfer.v1.local',
    'io.containerd.cri.v1.images',
    'io.containerd.grpc.v1.cri',
  ])}

${listeners(settings)}
[debug]
  level = ${quote(settings.logLevel)}

[plugins.'io.containerd.image-verifier.v1.bindir']
  bin_dir = ${quote(settings.binDir)}
  max_verifiers = ${settings.maxVerifiers}
  per_verifier_timeout = ${quote(settings.perVerifierTimeout)}

[plugins.'io.containerd.cri.v1.images']
  snapshotter = ${quote(settings.snapshotter)}
  use_local_image_pull = false
  discard_unpacked_layers = false
  [plugins.'io.containerd.cri.v1.images'.registry]
    config_path = ${quote(settings.hostsDir)}

[[plugins.'io.containerd.transfer.v1.local'.unpack_config]]
  platform = ${quote(settings.platform)}
  snapshotter = ${quote(settings.snapshotter)}

[plugins.'io.containerd.cri.v1.runtime']
  cdi_spec_dirs = []
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = [${quote(`${dir}/cni/bin`)}]
    conf_dir = ${quote(`${dir}/cni/conf`)}

[plugins.'io.containerd.nri.v1.nri']
  disable = true

[plugins.'io.containerd.internal.v1.opt']
  path = ${quote(`${dir}/opt`)}
`;
}

function listeners({ schema, address }: ContainerdSettings): string {
  const ttrpc = quote(`${address}.ttrpc`);
  switch (schema) {
    case 3:
      return `[grpc]\n  address = ${quote(address)}\n\n[ttrpc]\n  address = ${ttrpc}\n`;
    case 4:
      return [
        `[plugins.'io.containerd.server.v1.grpc']\n  address = ${quote(address)}\n`,
        `[plugins.'io.containerd.server.v1.ttrpc']\n  address = ${ttrpc}\n`,
      ].join('\n');
  }
}

/** A basic string of TOML 1.0, whose escapes are those of JSON. */
function quote(text: string): string {
  return JSON.stringify(text);
}

function list(texts: readonly string[]): string {
  return `[\n${texts.map((text) => `  ${quote(text)},\n`).join('')}]`;
}
