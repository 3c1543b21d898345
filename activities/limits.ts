/** Every upper bound on bytes and counts from outside, with its reason. Crossing one is an answer, never a crash. */

/** A registry manifest or index: 4 MiB is what the distribution spec asks registries to accept. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/** A Sigstore bundle or a signed payload: real ones are below 100 KiB, SBOM attestations reach some MiB. */
export const MAX_BUNDLE_BYTES = 10 * 1024 * 1024;

/** A token or error body of a registry. */
export const MAX_AUTH_BYTES = 64 * 1024;

/** Signatures looked at for one digest; more is a flood, and the first ones found are judged. */
export const MAX_SIGNATURES = 50;

/** Pages of a referrers list that are followed. */
export const MAX_REFERRER_PAGES = 20;

/** Subjects of one in-toto statement (sigstore-go `internal/limits`). */
export const MAX_SUBJECTS = 1024;

/** Transparency log entries and timestamps of one bundle (sigstore-go `internal/limits`). */
export const MAX_TLOG_ENTRIES = 32;
export const MAX_TIMESTAMPS = 32;

/** One policy file, and files in one policy directory. */
export const MAX_POLICY_BYTES = 1024 * 1024;
export const MAX_POLICY_FILES = 1000;
