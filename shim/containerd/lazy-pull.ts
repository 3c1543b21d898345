import type { EffectiveConfiguration, ProxySnapshotter } from './effective.ts';

/**
 * With this export the transfer service tells a snapshotter which layer it is about to fetch, so that the snapshotter may fetch it on demand
 * (core/transfer/local/pull.go and docs/cri/config.md of containerd 2.1 to 2.4). CRI's own pulls have `disable_snapshot_annotations` for that.
 */
export const LAZY_EXPORT = 'enable_remote_snapshot_annotations';

/** Snapshotters that fetch layers on demand: stargz-snapshotter, SOCI, overlaybd, nydus, CernVM-FS and GKE's image streaming, by their usual names. */
const LAZY_NAMES = /stargz|soci|overlaybd|nydus|cvmfs|gcfs/i;

/** A snapshotter of CRI that fetches layers on demand when it is told about them. */
export interface LazySnapshotter {
  readonly name: string;
  /** Absent for one that is built into containerd, which has no exports that a configuration could set. */
  readonly proxy: ProxySnapshotter | undefined;
  /** Whether the transfer service tells it about layers. */
  readonly isTold: boolean;
}

/** Those that CRI uses: by their names, and every proxy plugin where CRI's own pulls tell about layers, which is only of use to such. */
export function lazySnapshotters({
  snapshotters,
  proxies,
  images,
}: EffectiveConfiguration): readonly LazySnapshotter[] {
  const tellsLayers = images.get('disable_snapshot_annotations') === false;
  return snapshotters.flatMap((name) => {
    const proxy = proxies.get(name);
    if (!LAZY_NAMES.test(name) && !(tellsLayers && proxy !== undefined)) return [];
    return [{ name, proxy, isTold: proxy?.exports[LAZY_EXPORT] === 'true' }];
  });
}
