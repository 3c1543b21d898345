/**
 * Where an installed node keeps things; an interface that `portcullis install` lays out and every other command of the
 * node defaults to. Nothing else is written outside these folders but the launcher in containerd's `bin_dir`, lines in
 * containerd's configuration, and the systemd units.
 */
export const NODE_PATHS = {
  /** What an operator may edit: `shim.yaml`, `shim.env` (Temporal's address), `verdict-keys/`, `bootstrap/`. */
  config: '/etc/portcullis',
  /** What the daemon writes and may be deleted: `verdicts/`, `policy-head.json`, `decisions.jsonl`. */
  state: '/var/lib/portcullis',
  /** The sockets. */
  run: '/run/portcullis',
  /** The program: `versions/<version>/`, and `current` which points to one of them. */
  program: '/opt/portcullis',
} as const;
