import type { Rejection, SignatureReference } from '../../workflows/activities.ts';
import type { Digest } from '../../workflows/format/digest.ts';
import type { Reason } from '../../workflows/verdict/reason.ts';
import type { RevocationBook } from './revocation-book.ts';

/** REVOKED for an image that is revoked, with an index or by its own digest, or that lists something revoked. */
export function revokedImage(
  { revoked }: Pick<RevocationBook, 'revoked'>,
  image: Digest,
  contents: readonly Digest[],
): Reason | undefined {
  const all = revoked();
  const hit = [image, ...contents].find((digest) => all.has(digest));
  if (hit === undefined) return undefined;
  const by = `by the Revocation "${all.get(hit)}"`;
  const what =
    hit === image
      ? `${image} was revoked ${by}, by its own digest or with an index that lists it`
      : `${image} lists ${hit}, which was revoked ${by}`;
  return { code: 'REVOKED', sentence: `${what}; use another build of the image` };
}

/** Why a piece of evidence counts nowhere: it, what it is stored in, or the index that it is about is revoked. */
export function revokedEvidence(
  book: Pick<RevocationBook, 'revoked'>,
  { blob, manifest, index }: SignatureReference,
): Rejection | undefined {
  const all = book.revoked();
  const hit = [blob, manifest, ...(index === undefined ? [] : [index])].find((digest) => all.has(digest));
  if (hit === undefined) return undefined;
  const what = hit === index ? `it is about the index ${hit}` : `it is ${hit}`;
  return { blob, code: 'REVOKED', sentence: `${what}, which was revoked by the Revocation "${all.get(hit)}"` };
}
