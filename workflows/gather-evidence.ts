import type { AuthorityOutcome, AuthorityReference, KeyCheck, MatchingPolicy, SignatureSet } from './activities.ts';
import { runCheck } from './check-runner.ts';
import type { Checklist } from './checklist.ts';
import type { Inability } from './inability.ts';
import type { Evidence } from './policy/evaluate.ts';
import type { VerificationInput } from './verification-input.ts';

/** What a step found, or why it came to no answer. */
export type Gathered<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly inability: Inability };

/** No signature, and nothing unreadable either. */
export const NOTHING_FOUND: SignatureSet = { signatures: [], unreadable: [] };

/**
 * Gathers all that a verdict rests on: the matching policies, then signatures and keys side by side, then what each
 * authority's key says of the signatures. The registry is not asked about an image that no policy is about.
 */
export async function gatherEvidence(input: VerificationInput, checklist: Checklist): Promise<Gathered<Evidence>> {
  const policy = await runCheck(
    {
      title: 'policy',
      summary: `policies for ${input.name}`,
      onTimeout: 'POLICY_UNKNOWN',
      call: (activities, options) => activities.resolvePolicy.executeWithOptions(options, [input]),
    },
    checklist,
  );
  if (!policy.ok) return policy;
  const { matching, loaded } = policy.value;
  const names = matching.map((match) => match.name).join(', ');
  checklist.set(
    'policy',
    matching.length > 0 ? 'passed' : 'failed',
    matching.length > 0 ? names : `none of ${loaded} match`,
  );
  if (matching.length === 0)
    return { ok: true, value: { input, resolution: policy.value, signatures: NOTHING_FOUND, outcomes: [] } };

  const references = matching.flatMap((match) => match.authorities);
  const [signatures, keys] = await Promise.all([
    findSignatures(input, checklist),
    Promise.all(references.map((reference) => checkKey(input, reference, checklist))),
  ]);
  if (!signatures.ok) return signatures;
  const judged = await Promise.all(keys.map((key) => judgeAuthority(input, key, signatures.value, checklist)));
  const outcomes = judged.flatMap(({ reference, result }) => (result.ok ? [{ reference, outcome: result.value }] : []));
  const unable = decisiveInability(matching, judged);
  if (unable !== undefined) return { ok: false, inability: unable };
  return { ok: true, value: { input, resolution: policy.value, signatures: signatures.value, outcomes } };
}

async function findSignatures(input: VerificationInput, checklist: Checklist): Promise<Gathered<SignatureSet>> {
  const found = await runCheck(
    {
      title: 'signatures',
      summary: `signatures of ${input.name}@${input.digest}`,
      onTimeout: 'REGISTRY_TIMEOUT',
      call: (activities, options) => activities.fetchSignatures.executeWithOptions(options, [input]),
    },
    checklist,
  );
  if (found.ok) {
    const count = found.value.signatures.length;
    checklist.set('signatures', count > 0 ? 'passed' : 'failed', `${count} found`);
  }
  return found;
}

/** What became of one authority in one step. */
interface AuthorityStep<T> {
  readonly reference: AuthorityReference;
  readonly result: Gathered<T>;
}

async function checkKey(
  input: VerificationInput,
  reference: AuthorityReference,
  checklist: Checklist,
): Promise<AuthorityStep<KeyCheck>> {
  const title = `key of ${reference.policy}/${reference.authority}`;
  const result = await runCheck(
    {
      title,
      summary: title,
      onTimeout: 'KEY_UNREADABLE',
      call: (activities, options) => activities.checkKey.executeWithOptions(options, [{ ...input, ...reference }]),
    },
    checklist,
  );
  if (result.ok) checklist.set(title, 'passed', `${result.value.algorithm}, sha256:${result.value.keyId}`);
  return { reference, result };
}

async function judgeAuthority(
  input: VerificationInput,
  { reference, result: key }: AuthorityStep<KeyCheck>,
  { signatures }: SignatureSet,
  checklist: Checklist,
): Promise<AuthorityStep<AuthorityOutcome>> {
  if (!key.ok) return { reference, result: key };
  if (signatures.length === 0) return { reference, result: { ok: true, value: { satisfied: false, rejected: [] } } };
  const title = `signature by ${reference.policy}/${reference.authority}`;
  const request = { ...input, ...reference, keyId: key.value.keyId, signatures };
  const result = await runCheck(
    {
      title,
      summary: `${signatures.length} to judge by the key of ${reference.policy}/${reference.authority}`,
      onTimeout: 'REGISTRY_TIMEOUT',
      call: (activities, options) => activities.verifySignature.executeWithOptions(options, [request]),
    },
    checklist,
  );
  if (result.ok) checklist.set(title, result.value.satisfied ? 'passed' : 'failed', describe(result.value));
  return { reference, result };
}

/** An authority that could not be asked matters only where no other one satisfies its policy. */
function decisiveInability(
  matching: readonly MatchingPolicy[],
  judged: readonly AuthorityStep<AuthorityOutcome>[],
): Inability | undefined {
  for (const { name } of matching) {
    const own = judged.filter(({ reference }) => reference.policy === name);
    if (own.some(({ result }) => result.ok && result.value.satisfied)) continue;
    for (const { result } of own) if (!result.ok) return result.inability;
  }
  return undefined;
}

function describe(outcome: AuthorityOutcome): string {
  if (outcome.satisfied) return outcome.signer.identity;
  const first = outcome.rejected[0];
  return first === undefined ? 'no signature to judge' : `${first.code}: ${first.sentence}`;
}
