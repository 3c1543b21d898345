import { type Digest, parseDigest } from '../../workflows/digest.ts';
import { isRecord } from '../../workflows/record.ts';
import { MAX_LIST_TOKENS } from '../limits.ts';
import { parseJsonObject } from './json.ts';

/** One descriptor of a list of referrers. */
export interface ReferrerEntry {
  readonly digest: Digest;
  /** A hint for the order of reading: registries lie about it, and nothing is left out because of it. */
  readonly artifactType: string;
  /** Another one: what a bundle states, where the list repeats the annotation (`BUNDLE_SPEC.md`). */
  readonly predicateType: string;
}

export interface ReferrerList {
  readonly entries: readonly ReferrerEntry[];
  /** Descriptors without a digest that we can read. */
  readonly unreadable: number;
}

const BUNDLE_PREDICATE_TYPE = 'dev.sigstore.bundle.predicateType';

/**
 * Parses a list of referrers: an OCI image index (image-spec v1.1 `image-index.md`). `undefined` when it is none.
 * `null` is how Go programs write an empty list.
 */
export function parseReferrerList(bytes: Uint8Array): ReferrerList | undefined {
  const index = parseJsonObject(bytes, MAX_LIST_TOKENS);
  if (index === undefined || !('manifests' in index)) return undefined;
  const manifests = index['manifests'] ?? [];
  if (!Array.isArray(manifests)) return undefined;
  const entries: ReferrerEntry[] = [];
  for (const manifest of manifests) {
    if (!isRecord(manifest) || typeof manifest['digest'] !== 'string') continue;
    const digest = parseDigest(manifest['digest']);
    if (digest === undefined) continue;
    const annotations = isRecord(manifest['annotations']) ? manifest['annotations'] : {};
    entries.push({
      digest,
      artifactType: textOf(manifest['artifactType']),
      predicateType: textOf(annotations[BUNDLE_PREDICATE_TYPE]),
    });
  }
  return { entries, unreadable: manifests.length - entries.length };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
