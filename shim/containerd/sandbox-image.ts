import { realpath } from 'node:fs/promises';
import { type EffectiveConfiguration, readEffective, socketOf } from './effective.ts';
import { allRunning, dumpConfiguration } from './running.ts';

/**
 * The image of the sandbox of every pod, as containerd's own configuration names it: `pinned_images.sandbox`, to which
 * `config dump` migrates the `sandbox_image` of schema 2; `undefined` when it names none.
 */
export function sandboxImageOf({ images }: EffectiveConfiguration): string | undefined {
  const name = images.get('pinned_images.sandbox');
  return typeof name === 'string' && name !== '' ? name : undefined;
}

/** The same of the containerd that runs and serves at this socket; `undefined` when none is found, or it can't be asked. */
export async function sandboxImageAt(socket: string): Promise<string | undefined> {
  for (const containerd of await allRunning()) {
    const effective = await dumpConfiguration(containerd).then(readEffective, () => undefined);
    if (effective !== undefined && (await isSame(socketOf(containerd, effective), socket))) {
      return sandboxImageOf(effective);
    }
  }
  return undefined;
}

/** Whether two paths are of one file: a socket has links, such as `/var/run` for `/run`. */
async function isSame(one: string, other: string): Promise<boolean> {
  const [first, second] = await Promise.all([one, other].map((path) => realpath(path).catch(() => path)));
  return first === second;
}
