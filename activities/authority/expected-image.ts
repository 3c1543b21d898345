import type { Digest } from '../../workflows/format/digest.ts';
import { parseFullName, repositoryOf } from '../../workflows/format/name.ts';
import { type Glob, parseGlob } from '../../workflows/policy/glob.ts';
import type { Authority, SignedAs } from '../policy/policy-set.ts';
import type { ExpectedImage } from '../sigstore/judgement.ts';
import { imageName } from './image-name.ts';

/** What evidence has to be about, by the rule of an authority: all of the name and the rule that a judgement depends on. */
export function expectedImage(
  { signedAs, signedReference }: Pick<Authority, 'signedAs' | 'signedReference'>,
  name: string,
  digest: Digest,
): ExpectedImage {
  const image = imageName(name);
  const repository = repositoryOf(image);
  return {
    digest,
    repository,
    identity: {
      signedAs: signedAs.flatMap((one) => repositoriesOf(one, repository)),
      reference: signedReference === 'exact' ? { kind: 'exact', tag: image.tag } : { kind: 'repository' },
    },
  };
}

function repositoriesOf(signedAs: SignedAs, repository: string): readonly Glob[] {
  switch (signedAs.kind) {
    case 'glob':
      return [signedAs.glob];
    case 'prefix': {
      const { prefix, signedPrefix } = signedAs;
      if (repository !== prefix && !repository.startsWith(`${prefix}/`)) return [];
      const name = parseFullName(`${signedPrefix}${repository.slice(prefix.length)}`);
      const isRepository = name !== undefined && name.tag === undefined;
      const glob = isRepository ? parseGlob(repositoryOf(name)) : undefined;
      return glob === undefined ? [] : [glob];
    }
  }
}
