import assert from 'node:assert/strict';
import type {
  AuthorityOutcome,
  LogOutcome,
  MatchingAuthority,
  MatchingPolicy,
  SignatureSet,
} from '../../../workflows/activities.ts';
import { type Digest, parseDigest } from '../../../workflows/format/digest.ts';
import { type Evidence, evaluate } from '../../../workflows/policy/evaluate.ts';
import type { ReasonCode } from '../../../workflows/verdict/reason.ts';

/** The digest whose last digits are `n`. */
export function digest(n: number): Digest {
  return parseDigest(`sha256:${n.toString(16).padStart(64, '0')}`) ?? assert.fail();
}

export const INPUT = { name: '127.0.0.1:5000/demo/app:v1', digest: digest(0xab) };

export function found(...blobs: readonly number[]): SignatureSet {
  const signatures = blobs.map(
    (n) => ({ format: 'bundle', place: 'referrers', source: {}, manifest: digest(n + 1000), blob: digest(n) }) as const,
  );
  return { signatures, unreadable: [] };
}

export function policy(name: string, ...authorities: readonly string[]): MatchingPolicy {
  return { name, mode: 'enforce', authorities: authorities.map((one) => authority(name, one)) };
}

export function authority(name: string, one: string, rule: Partial<MatchingAuthority> = {}): MatchingAuthority {
  return { policy: name, authority: one, sources: [{}], ...rule };
}

export function satisfied(name: string, authority: string, blob: number) {
  const signer = { authority: `${name}/${authority}`, identity: 'key sha256:12ab', evidence: digest(blob) };
  const outcome: AuthorityOutcome = { satisfied: true, signers: [signer] };
  return { reference: { policy: name, authority }, outcome };
}

export function log(confirmed: readonly number[], ...codes: readonly ReasonCode[]): LogOutcome {
  const list = codes.map((code, i) => ({ blob: digest(i + 1), code, sentence: `the log says ${code}` }));
  return { confirmed: confirmed.map(digest), rejected: list, detail: '' };
}

export function rejected(name: string, authority: string, ...codes: readonly ReasonCode[]) {
  const list = codes.map((code, i) => ({ blob: digest(i + 1), code, sentence: `the sentence of ${code}` }));
  const outcome: AuthorityOutcome = { satisfied: false, rejected: list };
  return { reference: { policy: name, authority }, outcome };
}

export function decide(evidence: Partial<Evidence> & { readonly matching?: Evidence['resolution']['matching'] }) {
  const matching = evidence.matching ?? [policy('demo', 'release')];
  return evaluate({
    input: INPUT,
    resolution: { loaded: Math.max(1, matching.length), matching },
    signatures: found(1),
    outcomes: [],
    unable: [],
    ...evidence,
  });
}
