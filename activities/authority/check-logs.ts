import type { LogOutcome, Rejection, SignatureReference } from '../../workflows/activities.ts';
import type { Digest } from '../../workflows/format/digest.ts';
import type { Dependencies } from '../dependencies.ts';
import { EvidenceError } from '../evidence-error.ts';
import type { ProvenEntry } from '../sigstore/judgement.ts';
import { countedEvidence } from './counted-evidence.ts';
import { asUnread, type EvidenceSubject, judgeEvidence, notRevoked } from './judge-evidence.ts';
import { evidenceRules } from './rule.ts';

/** One piece of evidence that is good without the live log. */
interface ProvenEvidence {
  readonly reference: SignatureReference;
  readonly entries: readonly ProvenEntry[];
}

/** What transparency logs say of the evidence that counts for an authority. Throws the TRUST_ROOT_, REGISTRY_ and LOG_ codes. */
export async function checkLogs(
  dependencies: Dependencies,
  subject: EvidenceSubject,
  signatures: readonly SignatureReference[],
  signal: AbortSignal,
): Promise<LogOutcome> {
  const { rule: authority } = subject;
  const { counted, rejected } = notRevoked(dependencies, countedEvidence(authority, signatures));
  const proven: ProvenEvidence[] = [];
  let unread: EvidenceError | undefined;
  for (const rule of evidenceRules(authority, dependencies.trust, subject.keys.keys)) {
    for (const reference of counted) {
      const judgement = await judgeEvidence(dependencies, subject, rule, reference, signal).catch(asUnread);
      if (judgement instanceof EvidenceError) unread ??= judgement;
      else if (judgement.valid) proven.push({ reference, entries: judgement.entries });
      else rejected.push({ blob: reference.blob, code: judgement.code, sentence: judgement.sentence });
    }
  }
  if (proven.length === 0 && unread !== undefined) throw unread;
  const confirmed = new Set<Digest>();
  for (const { reference, entries } of proven) {
    const problem =
      authority.log?.mode === 'consistency' ? await askLogs(dependencies, subject, entries, signal) : undefined;
    if (problem === undefined) confirmed.add(reference.blob);
    else rejected.push({ blob: reference.blob, ...problem });
  }
  return { confirmed: [...confirmed], rejected, detail: detailOf(proven, confirmed, rejected) };
}

/** The first thing that a live log says against entries that were proven; `undefined` when all is well. */
async function askLogs(
  { logs }: Dependencies,
  { logs: candidates }: EvidenceSubject,
  entries: readonly ProvenEntry[],
  signal: AbortSignal,
): Promise<Omit<Rejection, 'blob'> | undefined> {
  for (const entry of entries) {
    const log = candidates.find(({ id }) => id === entry.logId);
    if (log === undefined) {
      const sentence = `the entry is of the log ${entry.logId.slice(0, 12)}, which the trust root has no address of; refresh the trust root`;
      return { code: 'LOG_UNKNOWN', sentence };
    }
    const answer = await logs.confirm(log, entry, signal);
    // A smaller tree may be a replica that lags behind: the next look may find the larger one.
    if (!answer.confirmed && answer.code !== 'LOG_INCONSISTENT') {
      throw new EvidenceError(answer.code, answer.sentence, { retryable: answer.code === 'LOG_ROLLED_BACK' });
    }
    if (!answer.confirmed) return { code: answer.code, sentence: answer.sentence };
  }
  return undefined;
}

/** Shown in the UI. */
function detailOf(
  proven: readonly ProvenEvidence[],
  confirmed: ReadonlySet<Digest>,
  rejected: readonly Rejection[],
): string {
  const good = proven.find(({ reference }) => confirmed.has(reference.blob));
  if (good !== undefined) return good.entries.map(describeEntry).join(', ') || 'no entry is asked for';
  const [first] = rejected;
  return first === undefined ? 'no signature to look for' : `${first.code}: ${first.sentence}`;
}

function describeEntry({ logId, inclusion, integratedTime }: ProvenEntry): string {
  const when = integratedTime === undefined ? '' : ` at ${new Date(integratedTime).toISOString()}`;
  const where = inclusion === undefined ? 'promised' : `entry ${inclusion.index} of ${inclusion.treeSize}`;
  return `log ${logId.slice(0, 12)}: ${where}${when}`;
}
