import type { Descriptor } from '../../workflows/format/descriptor.ts';
import type { ImageName } from '../../workflows/format/name.ts';
import { EvidenceError } from '../evidence-error.ts';
import { parseJsonObject } from './json.ts';
import { OCI_INDEX, OCI_MANIFEST } from './media-types.ts';
import type { Manifest, Registry } from './registry.ts';

/**
 * What a name points to now; without tag and digest that is `latest`. The digest is of the bytes that were read: what
 * HEAD says only saves reading them again. Throws IMAGE_NOT_FOUND when there is no such image, and the REGISTRY_ codes.
 */
export async function resolve(registry: Registry, name: ImageName, signal: AbortSignal): Promise<Descriptor> {
  const manifest = await find(registry, name, signal);
  if (manifest === undefined) {
    const message = await whatIsMissing(registry, name, signal);
    throw new EvidenceError('IMAGE_NOT_FOUND', message, { retryable: false });
  }
  return { mediaType: mediaTypeOf(manifest.bytes), digest: manifest.digest, size: manifest.bytes.byteLength };
}

/** The time in which a registry may add whether it has the repository, in ms: that it has no such image is known by then. */
const REPOSITORY_QUESTION_MS = 1_000;

/** What a registry lacks that has no such image. A registry that does not tell whether it has the repository changes the advice alone. */
async function whatIsMissing(registry: Registry, name: ImageName, signal: AbortSignal): Promise<string> {
  const { registry: host, repository, digest, tag = 'latest' } = name;
  const [what, field] = digest === undefined ? [`tag "${tag}"`, 'tag'] : [`image with the digest ${digest}`, 'digest'];
  const soon = AbortSignal.any([signal, AbortSignal.timeout(REPOSITORY_QUESTION_MS)]);
  const isKnown = await registry.hasRepository(name, soon).catch(() => undefined);
  if (isKnown === false) return `${host} has no repository ${repository}; correct the image name, or push the image`;
  const wrong = isKnown === true ? `the ${field}` : `the name and the ${field}`;
  return `${host}/${repository} has no ${what}; correct ${wrong}, or push the image`;
}

async function find(registry: Registry, name: ImageName, signal: AbortSignal): Promise<Manifest | undefined> {
  if (name.digest !== undefined) return registry.getManifest(name, name.digest, signal);
  const tag = name.tag ?? 'latest';
  const head = await registry.headManifest(name, tag, signal);
  if (head === undefined) return undefined;
  return registry.getManifest(name, head.digest ?? tag, signal);
}

/** Manifests say their own type (image-spec v1.1: SHOULD); the old ones that don't are told apart by their fields. */
function mediaTypeOf(bytes: Uint8Array): string {
  const manifest = parseJsonObject(bytes);
  const stated = manifest?.['mediaType'];
  if (typeof stated === 'string' && stated !== '') return stated;
  return Array.isArray(manifest?.['manifests']) ? OCI_INDEX : OCI_MANIFEST;
}
