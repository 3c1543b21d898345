import { type Digest, parseDigest } from '../../workflows/format/digest.ts';
import { isRecord } from '../../workflows/format/record.ts';
import { EvidenceError } from '../evidence-error.ts';
import { misbehaved } from '../http/failure.ts';
import { MAX_LISTED, MAX_MANIFEST_TOKENS } from '../limits.ts';
import { OCI_MANIFEST } from '../registry/media-types.ts';
import type { Registry } from '../registry/registry.ts';
import type { Repository } from '../registry/repository.ts';
import { parseStrictJson } from '../text/strict-json.ts';

/** Indexes inside of indexes; published images have one level. */
const MAX_LEVELS = 4;

/** Children of these types are manifests of one image: nothing is listed below them. */
const LEAVES: ReadonlySet<unknown> = new Set([OCI_MANIFEST, 'application/vnd.docker.distribution.manifest.v2+json']);

/** What an image lets a node run besides the digest it is asked for by: of each index everything below it, of an image nothing. */
export type ImageTree = ReadonlyMap<Digest, readonly Digest[]>;

/**
 * Reads what lies below a digest: nothing for the manifest of one image, all manifests and inner indexes for an index.
 * Throws EVIDENCE_TOO_LARGE and EVIDENCE_UNSUPPORTED for what a verdict could not name, and the REGISTRY_ codes. Costs no
 * request while the cache holds the manifests.
 */
export async function readImageTree(
  registry: Registry,
  place: Repository,
  root: Digest,
  signal: AbortSignal,
): Promise<ImageTree> {
  const tree = new Map<Digest, readonly Digest[]>();
  const seen = new Set<Digest>();
  await walk(root, 0);
  for (const leaf of seen) if (!tree.has(leaf)) tree.set(leaf, []);
  return tree;

  async function walk(digest: Digest, level: number): Promise<readonly Digest[]> {
    const known = tree.get(digest);
    if (known !== undefined) return known;
    if (level > MAX_LEVELS) throw tooMany(`nests indexes more than ${MAX_LEVELS} levels deep`);
    const manifest = await registry.getManifest(place, digest, signal);
    if (manifest === undefined) {
      const what = `GET manifest ${digest} of ${place.registry}/${place.repository}`;
      throw misbehaved(what, 'the registry does not have it; push the image again', false);
    }
    const below = new Set<Digest>();
    for (const child of childrenOf(digest, manifest.bytes)) {
      seen.add(child.digest);
      if (seen.size > MAX_LISTED) throw tooMany(`lists more than ${MAX_LISTED} manifests`);
      below.add(child.digest);
      if (!child.isLeaf) for (const inner of await walk(child.digest, level + 1)) below.add(inner);
    }
    const all = [...below];
    tree.set(digest, all);
    return all;
  }

  function tooMany(what: string): EvidenceError {
    const sentence = `${root} ${what}, so that a verdict cannot name them all; push a smaller index`;
    return new EvidenceError('EVIDENCE_TOO_LARGE', sentence, { retryable: false });
  }
}

interface Child {
  readonly digest: Digest;
  readonly isLeaf: boolean;
}

/**
 * What a manifest lists. One that is an index and an image at once counts as an index: that names more. Fields are found
 * as containerd's JSON reader finds them, whatever their case is, and a document of which two readers could make two
 * lists is not read.
 */
function childrenOf(digest: Digest, bytes: Uint8Array): readonly Child[] {
  const json = parseStrictJson(bytes, MAX_MANIFEST_TOKENS);
  if (!json.ok && json.tooLarge) throw unreadable('EVIDENCE_TOO_LARGE', `${digest}: ${json.problem}`);
  if (!json.ok) throw unreadable('EVIDENCE_UNSUPPORTED', `${digest}: ${json.problem}`);
  return fieldsOf(json.value, /^manifests$/iu).flatMap((manifests) => {
    if (manifests === null) return [];
    if (Array.isArray(manifests)) return manifests.map((child: unknown) => readChild(digest, child));
    throw unreadable('EVIDENCE_UNSUPPORTED', `${digest} has manifests that are not a list`);
  });
}

function readChild(index: Digest, child: unknown): Child {
  const [text, ...others] = fieldsOf(child, /^digest$/iu);
  const digest = typeof text === 'string' && others.length === 0 ? parseDigest(text) : undefined;
  if (digest === undefined) {
    throw unreadable('EVIDENCE_UNSUPPORTED', `${index} lists a manifest without a sha256 digest`);
  }
  const types = fieldsOf(child, /^mediaType$/iu);
  return { digest, isLeaf: types.length === 1 && LEAVES.has(types[0]) };
}

function fieldsOf(value: unknown, name: RegExp): readonly unknown[] {
  return isRecord(value) ? Object.entries(value).flatMap(([key, field]) => (name.test(key) ? [field] : [])) : [];
}

function unreadable(code: 'EVIDENCE_TOO_LARGE' | 'EVIDENCE_UNSUPPORTED', what: string): EvidenceError {
  return new EvidenceError(code, `${what}; push the image again with a current tool`, { retryable: false });
}
