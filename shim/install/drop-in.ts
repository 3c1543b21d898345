import {
  type EffectiveConfiguration,
  IMAGES,
  type ProxySnapshotter,
  TRANSFER,
  VERIFIER,
} from '../containerd/effective.ts';
import { LAZY_EXPORT, type LazySnapshotter, lazySnapshotters } from '../containerd/lazy-pull.ts';
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
    ...lazyPull(effective),
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

/** The snapshotters that are told about layers from now on, as CRI's own pulls told them. */
export function toldByDropIn(
  effective: EffectiveConfiguration,
): readonly (LazySnapshotter & { readonly proxy: ProxySnapshotter })[] {
  return lazySnapshotters(effective).flatMap(({ name, proxy, isTold }) =>
    proxy === undefined || isTold ? [] : [{ name, proxy, isTold }],
  );
}

/** A file that is merged later replaces a proxy plugin as a whole, so that all of it is said again. */
function lazyPull(effective: EffectiveConfiguration): readonly string[] {
  return toldByDropIn(effective).flatMap(({ name, proxy: { address, platform, exports, capabilities } }) => [
    '',
    '# Keeps lazy pulling. The rest is a copy: run "portcullis install" again when it changes elsewhere.',
    `[proxy_plugins.${JSON.stringify(name)}]`,
    '  type = "snapshot"',
    `  address = ${JSON.stringify(address)}`,
    ...(platform === '' ? [] : [`  platform = ${JSON.stringify(platform)}`]),
    ...(capabilities.length === 0 ? [] : [`  capabilities = ${JSON.stringify(capabilities)}`]),
    `  [proxy_plugins.${JSON.stringify(name)}.exports]`,
    ...Object.entries({ ...exports, [LAZY_EXPORT]: 'true' }).map(
      ([key, value]) => `    ${JSON.stringify(key)} = ${JSON.stringify(value)}`,
    ),
  ]);
}

/** What the node loses, or keeps in another way, by the change: one sentence each, cause and what to do. */
export function lazyPullNotes(effective: EffectiveConfiguration): readonly string[] {
  return lazySnapshotters(effective)
    .filter(({ isTold }) => !isTold)
    .map(({ name, proxy }) =>
      proxy === undefined
        ? `lazy pulling with the snapshotter ${JSON.stringify(name)} is switched off: pulls go through the transfer service, which fetches layers on demand for proxy plugins alone; run the snapshotter as a proxy plugin to keep lazy pulling`
        : `lazy pulling with the snapshotter ${JSON.stringify(name)} goes through the transfer service from now on: ${LAZY_EXPORT} = "true" is written for it; check after the installation that a large image still starts before all of it is here`,
    );
}

/** What containerd will make of its configuration together with {@link dropIn}. */
export function withDropIn(effective: EffectiveConfiguration): EffectiveConfiguration {
  const { images, verifier } = effective;
  const path = images.get('registry.config_path');
  const told = toldByDropIn(effective).map(
    ({ name, proxy }) => [name, { ...proxy, exports: { ...proxy.exports, [LAZY_EXPORT]: 'true' } }] as const,
  );
  return {
    ...effective,
    proxies: new Map([...effective.proxies, ...told]),
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
