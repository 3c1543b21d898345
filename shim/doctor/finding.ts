/** What is wrong with a node. `id` is closed and an interface; every text is one line. */
export interface Finding {
  readonly id: FindingId;
  /** `open`: images get in unasked; `stuck`: the node can't pull, or not start; `weak`: it holds, and not under all weather. */
  readonly severity: 'open' | 'stuck' | 'weak';
  readonly found: string;
  readonly why: string;
  /** The line, or the command, that cures it. */
  readonly fix: string;
}

/** Every finding there is, as README.md of this folder lists them. */
export const FINDING_IDS = [
  'containerd-too-old',
  'containerd-not-restarted',
  'containerd-replaced',
  'containerd-silent',
  'verifier-disabled',
  'verifier-missing',
  'verifier-not-loaded',
  'transfer-disabled',
  'transfer-not-loaded',
  'bin-dir-unset',
  'bin-dir-missing',
  'bin-dir-empty',
  'bin-dir-untrusted',
  'launcher-missing',
  'launcher-not-executable',
  'stray-entry',
  'max-verifiers',
  'timeout-too-short',
  'verifier-setting-unknown',
  'verifier-section-misspelt',
  'not-required',
  'configuration-refused',
  'local-pull',
  'several-config-paths',
  'lazy-pull-off',
  'socket-missing',
  'socket-untrusted',
  'daemon-silent',
  'part-missing',
  'policy-unknown',
  'policy-behind',
  'backend-unreachable',
  'clock',
  'bootstrap-empty',
  'bootstrap-problem',
  'verdict-keys',
  'state-unreadable',
  'state-unkept',
  'environment-readable',
] as const;

export type FindingId = (typeof FINDING_IDS)[number];
