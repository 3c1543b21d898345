import assert from 'node:assert/strict';
import type { Requirement } from '../../../activities/sigstore/requirement/requirement.ts';
import type { TextPattern } from '../../../activities/sigstore/requirement/text-pattern.ts';
import { type TrustPlan, trustedRootJson } from '../virtual-sigstore/trusted-root.ts';
import type { IndependentQuestion } from './judge.ts';

/** What a keyless requirement asks, by the trust root of a plan, as the independent judge is asked it. */
export function questionOf({ signer, log }: Requirement, trust: TrustPlan): IndependentQuestion {
  assert.ok(signer.kind === 'keyless');
  const [identity, ...others] = signer.identities;
  assert.ok(identity !== undefined && others.length === 0, 'the package takes one identity');
  return {
    trustedRoot: JSON.stringify(trustedRootJson(trust)),
    issuer: exactText(identity.issuer),
    subject: exactText(identity.subject),
    entries: log?.entries ?? 0,
    certificateTimestamps: signer.certificateTimestamps,
  };
}

function exactText(pattern: TextPattern): string {
  assert.ok(pattern.kind === 'exact', 'the package takes an exact identity');
  return pattern.text;
}
