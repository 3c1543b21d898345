import { createRequire } from 'node:module';
import { DEFAULT_MIRROR_URL } from '@sigstore/tuf';
import { isRecord } from '../../workflows/format/record.ts';
import { TRUSTED_ROOT_TARGET, type TrustRootSource } from './trust-root-document.ts';

/**
 * Sigstore's public-good instance: its TUF repository, and the root.json that @sigstore/tuf ships as the place to begin.
 * The trusted_root.json beside it is left alone, because nothing proves how old it is.
 */
export function publicGoodSource(): TrustRootSource {
  const seeds: unknown = createRequire(import.meta.url)('@sigstore/tuf/seeds.json');
  const seed = isRecord(seeds) ? seeds[DEFAULT_MIRROR_URL] : undefined;
  const root = isRecord(seed) ? seed['root.json'] : undefined;
  if (typeof root !== 'string')
    throw new Error('@sigstore/tuf has no seed for its own mirror; install the pinned version');
  return {
    kind: 'remote',
    root: Buffer.from(root, 'base64'),
    mirror: new URL(DEFAULT_MIRROR_URL),
    targets: 'targets',
    target: TRUSTED_ROOT_TARGET,
  };
}
