import type { Digest } from '../workflows/format/digest.ts';
import type { Reason } from '../workflows/verdict/reason.ts';
import type { Verdict } from '../workflows/verdict/verdict.ts';
import type { Decision, PullRequest } from './decision.ts';
import { outcomeOf } from './decision.ts';

/** Every revoked digest and the name of the list that revokes it. */
export type Revoked = ReadonlyMap<Digest, string>;

/** REVOKED when this very digest is revoked. */
export function revokedDigest(revoked: Revoked, { digest }: Pick<PullRequest, 'digest'>): Reason | undefined {
  const list = revoked.get(digest);
  if (list === undefined) return undefined;
  const sentence = `${digest} was revoked, as the workers stated in list "${list}"; use another build of the image`;
  return { code: 'REVOKED', sentence };
}

/**
 * REVOKED when an allow is for a revoked digest, contains one, or rests on one: a signature, or the index that was
 * signed. `undefined` for anything that is not an allow by a verdict.
 */
export function revokedVerdict(revoked: Revoked, verdict: Verdict): Reason | undefined {
  if (verdict.outcome !== 'allow') return undefined;
  const own = revokedDigest(revoked, verdict);
  if (own !== undefined) return own;
  const covered = [...verdict.signers.map(({ evidence }) => evidence), ...(verdict.covers ?? [])];
  const hit = covered.find((digest) => revoked.has(digest));
  if (hit === undefined) return undefined;
  const what = `${verdict.digest} contains or is allowed by ${hit}, which was revoked`;
  const sentence = `${what}, as the workers stated in list "${revoked.get(hit)}"; use another build of the image`;
  return { code: 'REVOKED', sentence };
}

/** Whether a node that knows revoked digests can tell that an allow is not about them. */
export function isComparable(revoked: Revoked, { outcome, covers }: Verdict): boolean {
  return outcome !== 'allow' || covers !== undefined || revoked.size === 0;
}

/** A decision as it is after the revocations that are known now, whoever made it and when. */
export function afterRevocations(revoked: Revoked, decision: Decision, request: PullRequest): Decision {
  if (outcomeOf(decision) !== 'allow') return decision;
  const reason =
    revokedDigest(revoked, request) ??
    (decision.by === 'verdict' ? revokedVerdict(revoked, decision.verdict) : undefined);
  return reason === undefined ? decision : { by: 'rule', reason, request };
}
