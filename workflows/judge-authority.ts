import type { AuthorityOutcome, LogOutcome, Rejection, SignatureReference, VerificationRequest } from './activities.ts';
import type { AskedAuthority, Gathered } from './asked-authority.ts';
import { runCheck } from './check-runner.ts';
import type { Checklist } from './checklist.ts';
import type { Envelope } from './verdict/verdict.ts';
import type { VerificationInput } from './verdict/verification-input.ts';

/** What one authority, and the logs that it wants asked, made of the signatures. */
export interface AuthorityJudgement {
  readonly outcome: AuthorityOutcome;
  /** Absent where the policy asks for no log, or there was nothing to ask about. */
  readonly log?: LogOutcome;
}

/** What is known before an authority is asked. */
export interface KnownToAuthority {
  /** Its key or trust root, as it was checked. */
  readonly keyId: string;
  /** What other workers know of logs. */
  readonly statement: Envelope | undefined;
}

/**
 * Judges the signatures by one authority. The proof in the evidence is checked beside the signature, because it costs
 * no request; a live log is asked only about evidence that is good without it, and a signature that carries no entry
 * can be judged only after one was looked up.
 */
export async function judgeAuthority(
  input: VerificationInput,
  authority: AskedAuthority,
  { keyId, statement }: KnownToAuthority,
  signatures: readonly SignatureReference[],
  checklist: Checklist,
): Promise<Gathered<AuthorityJudgement>> {
  if (signatures.length === 0) return { ok: true, value: { outcome: { satisfied: false, rejected: [] } } };
  const { policy, authority: name, durably } = authority;
  const request = { ...input, policy, authority: name, keyId };
  const step = { label: `${policy}/${name}`, durably, checklist };
  if (authority.log === undefined) {
    const outcome = await verifySignature({ ...request, signatures }, step);
    return outcome.ok ? { ok: true, value: { outcome: outcome.value } } : outcome;
  }
  switch (authority.log) {
    case 'offline': {
      const [outcome, log] = await Promise.all([
        verifySignature({ ...request, signatures }, step),
        checkTransparencyLog({ ...request, signatures }, step),
      ]);
      return both(outcome, log);
    }
    case 'lookup': {
      const log = await checkTransparencyLog({ ...request, signatures }, step);
      if (!log.ok) return log;
      return both(await verifySignature({ ...request, signatures }, step), log);
    }
    case 'consistency':
      return confirmLive(request, statement, signatures, step);
  }
}

interface AuthorityCheck {
  /** `<policy>/<authority>`. */
  readonly label: string;
  readonly durably: boolean;
  readonly checklist: Checklist;
}

/** Asks the log about the evidence that was accepted; where that says no, the rest of the evidence has its turn. */
async function confirmLive(
  request: Omit<VerificationRequest, 'signatures'>,
  statement: Envelope | undefined,
  signatures: readonly SignatureReference[],
  step: AuthorityCheck,
): Promise<Gathered<AuthorityJudgement>> {
  const told = statement === undefined ? {} : { statement };
  let left = signatures;
  const refused: Rejection[] = [];
  for (;;) {
    const outcome = await verifySignature({ ...request, signatures: left }, step);
    if (!outcome.ok) return outcome;
    if (!outcome.value.satisfied) {
      const rejected = [...refused, ...outcome.value.rejected];
      return { ok: true, value: { outcome: { ...outcome.value, rejected } } };
    }
    const accepted = new Set(outcome.value.signers.map((signer) => signer.evidence));
    const asked = left.filter(({ blob }) => accepted.has(blob));
    const log = await checkTransparencyLog({ ...request, ...told, signatures: asked }, step);
    if (!log.ok) return log;
    const unconfirmed = [...accepted].filter((blob) => !log.value.confirmed.includes(blob));
    if (unconfirmed.length === 0) return both(outcome, log);
    refused.push(...log.value.rejected);
    left = left.filter(({ blob }) => !unconfirmed.includes(blob));
  }
}

async function verifySignature(
  request: VerificationRequest,
  { label, durably, checklist }: AuthorityCheck,
): Promise<Gathered<AuthorityOutcome>> {
  const title = `signature by ${label}`;
  const result = await runCheck(
    {
      title,
      summary: `${request.signatures.length} to judge by ${label}`,
      onTimeout: 'REGISTRY_TIMEOUT',
      durably,
      call: (activities, options) => activities.verifySignature.executeWithOptions(options, [request]),
    },
    checklist,
  );
  if (result.ok) checklist.set(title, result.value.satisfied ? 'passed' : 'failed', describe(result.value));
  return result;
}

async function checkTransparencyLog(
  request: VerificationRequest,
  { label, durably, checklist }: AuthorityCheck,
): Promise<Gathered<LogOutcome>> {
  const title = `transparency log for ${label}`;
  const result = await runCheck(
    {
      title,
      summary: `log entries of ${request.signatures.length} for ${label}`,
      onTimeout: 'LOG_TIMEOUT',
      durably,
      call: (activities, options) => activities.checkTransparencyLog.executeWithOptions(options, [request]),
    },
    checklist,
  );
  if (result.ok) {
    checklist.set(title, result.value.confirmed.length > 0 ? 'passed' : 'failed', result.value.detail);
  }
  return result;
}

function both(outcome: Gathered<AuthorityOutcome>, log: Gathered<LogOutcome>): Gathered<AuthorityJudgement> {
  if (!outcome.ok) return outcome;
  if (!outcome.value.satisfied) return { ok: true, value: { outcome: outcome.value } };
  return log.ok ? { ok: true, value: { outcome: outcome.value, log: log.value } } : log;
}

function describe(outcome: AuthorityOutcome): string {
  if (outcome.satisfied) return outcome.signers.map((signer) => signer.identity).join(', ');
  const first = outcome.rejected[0];
  return first === undefined ? 'no signature to judge' : `${first.code}: ${first.sentence}`;
}
