/** Upper bounds on lists of evidence and what they name, with their reasons; the others are in `../limits.ts`. */

/** Pages of a referrers list that are followed at first, and when the evidence on them proves nothing. */
export const MAX_REFERRER_PAGES = 20;
export const MAX_LATER_REFERRER_PAGES = 1000;

/**
 * Bytes of a referrers list that are read at first, and when the evidence in them proves nothing: a list repeats the
 * annotations of each artefact, up to 4 MiB. They are read as they arrive, some 20 MB in a second of the processor at worst.
 */
export const MAX_LISTING_BYTES = 32 * 1024 * 1024;
export const MAX_LATER_LISTING_BYTES = 64 * 1024 * 1024;

/** Bytes of a list after which the registry is also asked for evidence alone: an honest list has some KiB. */
export const LONG_LISTING_BYTES = 1024 * 1024;

/** Descriptors of one list that are kept: those that may be evidence, some hundred bytes each, and those that say to be something else. */
export const MAX_LISTED_REFERRERS = 20_000;
export const MAX_LISTED_OTHERS = 2_000;

/** Large manifests of which a worker remembers what they hold, a few KiB each. */
export const MAX_KNOWN_ARTEFACTS = 2_000;

/** A manifest that is larger than this is read after the smaller ones: those of signatures have some KiB. */
export const LARGE_MANIFEST_BYTES = 256 * 1024;

/**
 * How long the listing of a registry counts while the registry gives no answer, in ms: a verification asks twice, and the
 * second question must not fail by a moment's outage. A deleted signature opens the gate at most this much longer.
 */
export const LISTING_MS = 60_000;

/** Listings of signatures that one worker remembers, some hundred bytes each: a minute's verifications. */
export const MAX_LISTINGS = 10_000;

/**
 * Durable attempts after which evidence that is listed and not served is gone for good: half a minute. Registries that
 * copy their content list it seconds before they serve it.
 */
export const NOT_SERVED_ATTEMPTS = 10;

/** Bytes of the large evidence in one part; what is beyond them is in the next one, so that some attempts can judge a part of a flood. */
export const MAX_PART_BYTES = 256 * 1024 * 1024;

/** Artefacts named as unreadable in one answer: it goes through Temporal, and a manifest may hold thousands of broken layers. */
export const MAX_UNREADABLE = 50;

/** A signature in a layer's annotation, in base64 characters: of ML-DSA-87 it has 6 KiB. */
export const MAX_SIGNATURE_ANNOTATION = 16 * 1024;

/** A certificate, chain, log entry or timestamp in a layer's annotation, in characters: real ones are below 20 KiB. */
export const MAX_ANNOTATION = 100 * 1024;

/** Failures of places that one answer names. */
export const MAX_FAILED_PLACES = 8;
