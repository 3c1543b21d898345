import type { SignatureSource } from '../../../workflows/activities.ts';
import { type Digest, digestHex } from '../../../workflows/format/digest.ts';
import { type ImageName, parseName } from '../../../workflows/format/name.ts';
import { EvidenceError } from '../../evidence-error.ts';
import { quote } from '../../text/quote.ts';
import type { Repository } from '../repository.ts';

/** A repository in which evidence lives, and how its tags begin. */
export interface EvidencePlace extends Repository {
  readonly tagPrefix: string;
}

/** An image, and the repository in which its evidence may live. */
export interface EvidenceRequest {
  readonly name: string;
  readonly digest: Digest;
  readonly source: SignatureSource;
}

/** What a tag may begin with (distribution-spec v1.1); beyond 53 characters no room is left for `sha256-<hex>.sig` in 128. */
const TAG_PREFIX = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,52}$/;

/** Where a source of an image's evidence is. Throws REQUEST_INVALID: sources come through Temporal. */
export function evidencePlace(image: Repository, { repository, tagPrefix = '' }: SignatureSource): EvidencePlace {
  if (tagPrefix !== '' && !TAG_PREFIX.test(tagPrefix)) {
    throw invalid(`expected at most 53 characters of a tag as tagPrefix, found ${quote(tagPrefix)}`);
  }
  if (repository === undefined) return { registry: image.registry, repository: image.repository, tagPrefix };
  const parsed = parseName(repository);
  if (parsed === undefined || parsed.tag !== undefined || parsed.digest !== undefined) {
    throw invalid(`expected registry/repository as the source of signatures, found ${quote(repository)}`);
  }
  return { registry: parsed.registry, repository: parsed.repository, tagPrefix };
}

/** cosign's tags for a digest (cosign v2 `pkg/oci/remote/remote.go`): the prefix goes straight before the algorithm. */
export function cosignTag({ tagPrefix }: EvidencePlace, digest: Digest, suffix: 'sig' | 'att'): string {
  return `${tagPrefix}${referrersTag(digest)}.${suffix}`;
}

/** The tag that stands in for the referrers API (distribution-spec v1.1 "Referrers Tag Schema"); nothing goes before it. */
export function referrersTag(digest: Digest): string {
  return `sha256-${digestHex(digest)}`;
}

/** An image name that came through Temporal. Throws REQUEST_INVALID. */
export function parseImage(name: string): ImageName {
  const parsed = parseName(name);
  if (parsed === undefined) throw invalid(`expected an image name, found ${quote(name)}`);
  return parsed;
}

function invalid(message: string): EvidenceError {
  return new EvidenceError('REQUEST_INVALID', message, { retryable: false });
}
