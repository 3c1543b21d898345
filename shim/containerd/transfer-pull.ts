/** containerd's own `bin_dir`. */
export const DEFAULT_BIN_DIR = '/opt/containerd/image-verifier/bin';

/** A `per_verifier_timeout` below this kills the launcher (9.2 s) before it can say why, in ms. */
export const LEAST_TIMEOUT_MS = 10_000;

/** Keys of CRI's image service with which it pulls by the transfer service, and thereby asks verifiers. */
export type TransferPullKey =
  | 'use_local_image_pull'
  | 'discard_unpacked_layers'
  | 'disable_snapshot_annotations'
  | 'image_pull_with_sync_fs'
  | 'max_concurrent_downloads';

/**
 * What they have to be: with another value of one of them CRI pulls by itself (`CheckLocalImagePullConfigs`, containerd 2.1 to 2.4,
 * internal/cri/config/config.go).
 */
export const TRANSFER_PULL: ReadonlyMap<TransferPullKey, boolean | number> = new Map<TransferPullKey, boolean | number>(
  [
    ['use_local_image_pull', false],
    ['discard_unpacked_layers', false],
    ['disable_snapshot_annotations', true],
    ['image_pull_with_sync_fs', false],
    ['max_concurrent_downloads', 3],
  ],
);

/** Whether a value of a setting, as a dump has it, makes CRI pull by itself. */
export function leavesTransfer(value: unknown, wanted: boolean | number): boolean {
  return typeof wanted === 'boolean' ? value === !wanted : value !== undefined && Number(value) !== wanted;
}
