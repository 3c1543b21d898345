import type { Descriptor } from '../../workflows/descriptor.ts';
import type { ImageName } from '../../workflows/name.ts';
import { EvidenceError } from '../evidence-error.ts';
import { parseJsonObject } from './json.ts';
import { OCI_INDEX, OCI_MANIFEST } from './media-types.ts';
import type { Manifest, Registry } from './registry.ts';

/**
 * What a name points to now; without tag and digest that is `latest`. The digest is of the bytes that were read: what
 * HEAD says only saves reading them again. Throws REQUEST_INVALID when there is no such image, and the REGISTRY_ codes.
 */
export async function resolve(registry: Registry, name: ImageName, signal: AbortSignal): Promise<Descriptor> {
  const manifest = await find(registry, name, signal);
  if (manifest === undefined) {
    const place = `${name.registry}/${name.repository}`;
    const message = `${place}: expected an image at ${name.digest ?? name.tag ?? 'latest'}, the registry has none there`;
    throw new EvidenceError('REQUEST_INVALID', message, { retryable: false });
  }
  return { mediaType: mediaTypeOf(manifest.bytes), digest: manifest.digest, size: manifest.bytes.byteLength };
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
