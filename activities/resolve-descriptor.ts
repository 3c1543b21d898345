import type { Descriptor } from '../workflows/format/descriptor.ts';
import { imageName } from './authority/image-name.ts';
import type { Dependencies } from './dependencies.ts';
import { resolve } from './registry/resolve.ts';

/** What a name points to now. Throws IMAGE_NOT_FOUND when there is no such image, REQUEST_INVALID for what is no name, and the REGISTRY_ codes. */
export async function resolveDescriptor(
  { registry }: Pick<Dependencies, 'registry'>,
  request: { readonly name: string },
  signal: AbortSignal,
): Promise<Descriptor> {
  return await resolve(registry, imageName(request.name), signal);
}
