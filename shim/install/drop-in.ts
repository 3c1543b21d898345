import { type EffectiveConfiguration, IMAGES, TRANSFER, VERIFIER } from '../containerd/effective.ts';
import { DEFAULT_BIN_DIR } from './layout.ts';

/** Settings of CRI's images that switch verification off by another value, as `CheckLocalImagePullConfigs` of containerd 2.1 to 2.4 lists them. */
const TRANSFER_PULL: ReadonlyMap<string, boolean | number> = new Map<string, boolean | number>([
  ['use_local_image_pull', false],
  ['discard_unpacked_layers', false],
  ['disable_snapshot_annotations', true],
  ['image_pull_with_sync_fs', false],
  ['max_concurrent_downloads', 3],
]);

const DEFAULT_DOWNLOADS = 3;
const DEFAULT_SNAPSHOTTER = 'overlayfs';

/** The launcher's own deadline is below it. */
const LEAST_TIMEOUT_MS = 10_000;

export function binDirOf({ verifier }: EffectiveConfiguration): string {
  return verifier?.binDir || DEFAULT_BIN_DIR;
}

/**
 * The file that is merged over containerd's configuration, so that every pull is asked for: containerd 2.1 to 2.4 read schema 3 beside
 * main files of schema 2, 3 and 4, merge tables by key, and append lists.
 */
export function dropIn(effective: EffectiveConfiguration): string {
  const { images, verifier } = effective;
  const timeout = Math.max(LEAST_TIMEOUT_MS, verifier?.perVerifierTimeoutMs || 0);
  const downloads = Number(images.get('max_concurrent_downloads') ?? DEFAULT_DOWNLOADS);
  return [
    '# Written by "portcullis install"; "portcullis uninstall" removes it. See shim/install/README.md of the release.',
    'version = 3',
    `required_plugins = ["${VERIFIER}", "${TRANSFER}"]`,
    '',
    `[plugins."${VERIFIER}"]`,
    `  bin_dir = ${JSON.stringify(binDirOf(effective))}`,
    '  max_verifiers = -1',
    `  per_verifier_timeout = "${timeout}ms"`,
    '',
    '# With another value for one of these the kubelet pulls unasked.',
    `[plugins."${IMAGES}"]`,
    ...[...TRANSFER_PULL].map(([key, value]) => `  ${key} = ${value}`),
    ...registry(images),
    ...unpackConfig(effective),
    ...(downloads === DEFAULT_DOWNLOADS
      ? []
      : ['', `[plugins."${TRANSFER}"]`, `  max_concurrent_downloads = ${downloads}`]),
    '',
  ].join('\n');
}

/** With another snapshotter than its default the transfer service pulls nothing that it was not told to unpack for. */
function unpackConfig({ snapshotters, unpacked }: EffectiveConfiguration): readonly string[] {
  const isDefault = unpacked.length === 0 && snapshotters.every((name) => name === DEFAULT_SNAPSHOTTER);
  const missing = isDefault ? [] : snapshotters.filter((name) => !unpacked.includes(name));
  return missing.flatMap((name) => [
    '',
    `[[plugins."${TRANSFER}".unpack_config]]`,
    `  platform = "linux/${process.arch === 'x64' ? 'amd64' : process.arch}"`,
    `  snapshotter = ${JSON.stringify(name)}`,
  ]);
}

/** The transfer service reads one folder of hosts.toml files; with several it reads none. */
function registry(images: EffectiveConfiguration['images']): readonly string[] {
  const path = images.get('registry.config_path');
  if (typeof path !== 'string' || !path.includes(':')) return [];
  return [`  [plugins."${IMAGES}".registry]`, `    config_path = ${JSON.stringify(path.split(':')[0])}`];
}

/** What containerd will make of its configuration together with {@link dropIn}. */
export function withDropIn(effective: EffectiveConfiguration): EffectiveConfiguration {
  const { images, verifier } = effective;
  const path = images.get('registry.config_path');
  return {
    ...effective,
    requiredPlugins: [...effective.requiredPlugins, VERIFIER, TRANSFER],
    images: new Map([
      ...images,
      ...TRANSFER_PULL,
      ...(typeof path === 'string' ? ([['registry.config_path', path.split(':')[0]]] as const) : []),
    ]),
    verifier: verifier && {
      ...verifier,
      binDir: binDirOf(effective),
      maxVerifiers: -1,
      perVerifierTimeoutMs: Math.max(LEAST_TIMEOUT_MS, verifier.perVerifierTimeoutMs || 0),
    },
  };
}
