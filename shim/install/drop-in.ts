import { type EffectiveConfiguration, IMAGES, TRANSFER, VERIFIER } from '../containerd/effective.ts';
import { DEFAULT_BIN_DIR, LEAST_TIMEOUT_MS, TRANSFER_PULL, type TransferPullKey } from '../containerd/transfer-pull.ts';

/**
 * How the file has to be written to be merged: containerd 2.3 and 2.4 bring each file to their own schema before they merge, 2.1 and 2.2 merge
 * first, and then lose what the main file says in another schema than the last one.
 */
export type DropInSchema = 2 | 3;

/** Where schema 2 has the settings of CRI that count for its pulls. */
const OLD_SECTIONS: Readonly<Record<TransferPullKey, OldSection>> = {
  use_local_image_pull: 'images',
  discard_unpacked_layers: 'containerd',
  disable_snapshot_annotations: 'containerd',
  image_pull_with_sync_fs: 'cri',
  max_concurrent_downloads: 'cri',
};

/** `images` is newer than schema 2, and has its new name there as well. */
type OldSection = 'images' | 'containerd' | 'cri';

const CRI = 'io.containerd.grpc.v1.cri';
const SECTIONS: Readonly<Record<OldSection, string>> = {
  images: `[plugins."${IMAGES}"]`,
  containerd: `[plugins."${CRI}".containerd]`,
  cri: `[plugins."${CRI}"]`,
};

const DEFAULT_SNAPSHOTTER = 'overlayfs';

export function binDirOf({ verifier }: EffectiveConfiguration): string {
  return verifier?.binDir || DEFAULT_BIN_DIR;
}

/** The file that is merged over containerd's configuration, so that every pull is asked for. */
export function dropIn(effective: EffectiveConfiguration, schema: DropInSchema): string {
  const { verifier } = effective;
  const timeout = Math.max(LEAST_TIMEOUT_MS, verifier?.perVerifierTimeoutMs || 0);
  return [
    '# Written by "portcullis install"; "portcullis uninstall" removes it. See shim/install/README.md of the release.',
    `version = ${schema}`,
    `required_plugins = ["${VERIFIER}", "${TRANSFER}"]`,
    '',
    `[plugins."${VERIFIER}"]`,
    `  bin_dir = ${JSON.stringify(binDirOf(effective))}`,
    '  max_verifiers = -1',
    `  per_verifier_timeout = "${timeout}ms"`,
    '',
    '# With another value for one of these the kubelet pulls unasked.',
    ...transferPull(effective, schema),
    ...downloads(effective),
    ...unpackConfig(effective),
    '',
  ].join('\n');
}

function transferPull({ images }: EffectiveConfiguration, schema: DropInSchema): readonly string[] {
  const all = [...TRANSFER_PULL.keys()];
  const lines = (keys: readonly TransferPullKey[]) => keys.map((key) => `  ${key} = ${TRANSFER_PULL.get(key)}`);
  const sections =
    schema === 3
      ? [SECTIONS.images, ...lines(all)]
      : (['images', 'containerd', 'cri'] as const).flatMap((old) => [
          SECTIONS[old],
          ...lines(all.filter((key) => OLD_SECTIONS[key] === old)),
        ]);
  const path = images.get('registry.config_path');
  // The transfer service reads one folder of hosts.toml files; of several it reads none.
  if (typeof path !== 'string' || !path.includes(':')) return sections;
  const folder = JSON.stringify(path.split(':')[0]);
  return [...sections, `  [plugins."${schema === 3 ? IMAGES : CRI}".registry]`, `    config_path = ${folder}`];
}

/** The number that somebody wanted for CRI's own pulls goes where it counts now. */
function downloads({ images }: EffectiveConfiguration): readonly string[] {
  const usual = TRANSFER_PULL.get('max_concurrent_downloads');
  const wanted = Number(images.get('max_concurrent_downloads') ?? usual);
  return wanted === usual ? [] : ['', `[plugins."${TRANSFER}"]`, `  max_concurrent_downloads = ${wanted}`];
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
