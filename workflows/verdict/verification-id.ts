import type { Digest } from '../format/digest.ts';

/** What makes two pulls the same verification. */
export interface VerificationKey {
  /** The name without its digest: a verdict for one tag says nothing about another. */
  readonly name: string;
  readonly digest: Digest;
  readonly policyRevision: string;
  /** Another fleet with the same policy signs verdicts of its own. */
  readonly fleet: string;
}

/**
 * How long pulls share one verification: `quarter-hour` while its answer is good; `ten-seconds` once the shared one
 * answered with something that is no longer good, such as a deny that is older than people need to sign an image.
 */
export type Epoch = 'quarter-hour' | 'ten-seconds';

const EPOCH_MS: Readonly<Record<Epoch, number>> = { 'quarter-hour': 900_000, 'ten-seconds': 10_000 };
const EPOCH_TEXT_LENGTH: Readonly<Record<Epoch, number>> = {
  'quarter-hour': '2026-01-01T00:00'.length,
  'ten-seconds': '2026-01-01T00:00:00'.length,
};

/**
 * How far into an epoch, in ms, a verification of the epoch before is still joined when there is one: a pull that is
 * tried again must find what its first try began, also when an epoch ended in between.
 */
export const EPOCH_OVERLAP_MS = 60_000;

/** Enough of the policy revision to tell two apart by eye. */
const REVISION_LENGTH = 12;

/**
 * The workflow id of a verification, for people to read:
 * `verify/<name>@<digest>/<fleet>/<policy revision>/<start of the epoch>`. A pure function of its arguments, so that every
 * node of a fleet finds the same run. `nowMs` is Unix time in ms.
 */
export function verificationId(key: VerificationKey, epoch: Epoch, nowMs: number): string {
  const start = new Date(nowMs - (nowMs % EPOCH_MS[epoch])).toISOString().slice(0, EPOCH_TEXT_LENGTH[epoch]);
  return `verify/${key.name}@${key.digest}/${key.fleet}/${key.policyRevision.slice(0, REVISION_LENGTH)}/${start}`;
}

const BASE32 = '0123456789abcdefghjkmnpqrstvwxyz';
const FNV_OFFSET = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;

/**
 * The id that people copy out of a refused pull: 13 letters that follow from the workflow id, so that a node can
 * print it even when nobody could be reached. A label to search by, not a secret and not a proof (FNV-1a, 64 bit).
 */
export function decisionId(workflowId: string): string {
  let hash = FNV_OFFSET;
  for (const byte of new TextEncoder().encode(workflowId)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV_PRIME);
  }
  let text = '';
  for (let rest = hash, i = 0; i < 13; i++, rest >>= 5n) text = BASE32.charAt(Number(rest & 31n)) + text;
  return text;
}
