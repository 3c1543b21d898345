import type { PolicyHead } from '../../workflows/verdict/policy-head.ts';
import type { Envelope, Verdict } from '../../workflows/verdict/verdict.ts';
import { readStatement } from '../policy-statement.ts';
import { checkVerdict, readUnchecked } from '../verdict-keys/verdict-check.ts';
import type { VerdictKeys } from '../verdict-keys/verdict-keys.ts';
import type { OfflineFile } from './offline-file.ts';

/** A file in which every signature held, or each that didn't. */
export type CheckedFile =
  | {
      readonly ok: true;
      readonly head: PolicyHead;
      /** The key that signed the statement. */
      readonly keyId: string;
      readonly verdicts: readonly Verdict[];
      /** The file with nothing but accepted signatures: only this is worth keeping. */
      readonly file: OfflineFile;
    }
  /** Sentences that begin with what they are about. */
  | { readonly ok: false; readonly problems: readonly string[] };

interface Carried {
  readonly verdict: Verdict;
  readonly envelope: Envelope;
}

/** As many problems as are told; whoever forges one forges many. */
const MAX_PROBLEMS = 20;

/**
 * Checks a file as the daemon will check what is in it, by the same keys and fleet: the statement, and each verdict as an allow under
 * the policy of that statement. Times are not looked at, but for what is from the future.
 */
export function checkOfflineFile(file: OfflineFile, keys: VerdictKeys, fleet: string, nowMs: number): CheckedFile {
  const statement = readStatement(file.policy, keys, fleet, nowMs);
  if ('code' in statement) return { ok: false, problems: [statement.sentence] };
  const { head } = statement;
  const verdicts: Verdict[] = [];
  const envelopes: Envelope[] = [];
  const problems: string[] = [];
  for (const [index, envelope] of file.verdicts.entries()) {
    const checked = checkCarried(envelope, { ...head, fleet }, keys, nowMs);
    if (typeof checked !== 'string') {
      verdicts.push(checked.verdict);
      envelopes.push(checked.envelope);
    } else problems.push(`verdict ${index + 1}: ${checked}`);
    if (problems.length === MAX_PROBLEMS) break;
  }
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, head, keyId: statement.keyId, verdicts, file: { policy: statement.carried, verdicts: envelopes } };
}

/** The verdict and its envelope, or a sentence that names what it claims to be about. */
function checkCarried(
  envelope: Envelope,
  { policyRevision, fleet }: { readonly policyRevision: string; readonly fleet: string },
  keys: VerdictKeys,
  nowMs: number,
): Carried | string {
  const claimed = readUnchecked(envelope);
  if (claimed === undefined) return 'VERDICT_MISMATCH: expected a verdict of this version, found something else';
  const { name, digest } = claimed;
  const check = checkVerdict({ envelope }, { name, digest, policyRevision, fleet }, keys, nowMs);
  const about = `${name}@${digest}`;
  if (check.kind === 'refused') return `${about}: ${check.reason.code}: ${check.reason.sentence}`;
  if (check.verdict.outcome === 'allow') return check;
  return `${about}: VERDICT_MISMATCH: expected a verdict that allows, found one that does not`;
}
