import type { Descriptor } from '../workflows/descriptor.ts';
import { attemptSignal } from './attempt.ts';
import type { Dependencies } from './dependencies.ts';
import { imageName } from './image-name.ts';
import { resolve } from './registry/resolve.ts';

/** What a name points to now. Throws the REGISTRY_ codes. */
export async function resolveDescriptor(
  { registry }: Dependencies,
  request: { readonly name: string },
): Promise<Descriptor> {
  return await resolve(registry, imageName(request.name), attemptSignal());
}
