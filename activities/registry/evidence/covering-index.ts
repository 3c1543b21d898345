import type { Digest } from '../../../workflows/format/digest.ts';
import type { ImageName } from '../../../workflows/format/name.ts';
import { parseJsonObject } from '../json.ts';
import { parseReferrerList } from '../referrer-list.ts';
import type { Registry } from '../registry.ts';
import { parseImage } from './evidence-place.ts';
import { tooLarge, type Unreadable } from './unreadable.ts';

/**
 * The index that the tag of a name points to, where that index lists the digest; `undefined` when there is no tag, or
 * it points elsewhere. Throws the REGISTRY_ codes when that can't be found out.
 */
export async function findCoveringIndex(
  registry: Registry,
  image: ImageName,
  digest: Digest,
  signal: AbortSignal,
): Promise<Digest | Unreadable | undefined> {
  if (image.tag === undefined) return undefined;
  try {
    const tagged = await registry.getManifest(image, image.tag, signal);
    return tagged !== undefined && lists(tagged.bytes, digest) ? tagged.digest : undefined;
  } catch (error) {
    return tooLarge(image.tag, error);
  }
}

/**
 * Whether an index, read from the image's own repository, lists a digest as one of its manifests. Its bytes hash to
 * `index`; no tag has a say in it. Costs no request while the cache holds the index. Throws REQUEST_INVALID and the REGISTRY_ codes.
 */
export async function indexLists(
  registry: Registry,
  name: string,
  index: Digest,
  digest: Digest,
  signal: AbortSignal,
): Promise<boolean> {
  const image = parseImage(name);
  try {
    const manifest = await registry.getManifest(image, index, signal);
    return manifest !== undefined && lists(manifest.bytes, digest);
  } catch (error) {
    tooLarge(index, error);
    return false;
  }
}

/** What is an index and an image manifest at once is neither (CVE-2021-41190): two readers would see two things. */
function lists(bytes: Uint8Array, digest: Digest): boolean {
  const manifest = parseJsonObject(bytes);
  if (manifest === undefined || 'config' in manifest || 'layers' in manifest) return false;
  return parseReferrerList(bytes)?.entries.some((entry) => entry.digest === digest) ?? false;
}
