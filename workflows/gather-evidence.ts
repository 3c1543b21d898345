import type {
  AuthorityOutcome,
  KeyCheck,
  MatchingPolicy,
  SignatureReference,
  SignatureSet,
  SignatureSource,
} from './activities.ts';
import type { AskedAuthority, Gathered } from './asked-authority.ts';
import { runCheck } from './check-runner.ts';
import type { Checklist } from './checklist.ts';
import { judgeAuthority } from './judge-authority.ts';
import { type Evidence, isAccepted, type JudgedAuthority, type UnableAuthority } from './policy/evaluate.ts';
import type { Reason } from './reason.ts';
import type { Envelope } from './verdict.ts';
import type { VerificationInput } from './verification-input.ts';

/** No signature, and nothing unreadable either. */
export const NOTHING_FOUND: SignatureSet = { signatures: [], unreadable: [] };

/** What was found in each source that an authority names, by {@link sourceKey}. */
type Found = ReadonlyMap<string, Gathered<SignatureSet>>;

/**
 * Gathers all that a verdict rests on: the matching policies, then signatures and keys side by side, then what each
 * authority makes of the signatures. The registry is not asked about an image that no policy wants evidence of.
 */
export async function gatherEvidence(
  { statement, ...input }: VerificationInput,
  checklist: Checklist,
): Promise<Gathered<Evidence>> {
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
  const { matching, loaded, revoked } = policy.value;
  const names = matching.map((match) => match.name).join(', ');
  const none = revoked === true ? 'the digest is revoked' : `none of ${loaded} match`;
  checklist.set('policy', matching.length > 0 ? 'passed' : 'failed', matching.length > 0 ? names : none);

  const authorities = matching.flatMap(askedOf);
  const [found, keys] = await Promise.all([
    findSignatures(input, authorities, checklist),
    Promise.all(authorities.map((authority) => checkKey(input, statement, authority, checklist))),
  ]);
  const steps = await Promise.all(keys.map((step) => judge(input, statement, step, found, checklist)));
  const outcomes = steps.flatMap(({ judged }) => judged ?? []);
  const unable = steps.flatMap((step) => step.unable ?? []);
  const decisive = decisiveInability(matching, outcomes, unable);
  if (decisive !== undefined) return { ok: false, inability: decisive };
  const sets = [...found.values()].flatMap((set) => (set.ok ? [set.value] : []));
  return { ok: true, value: { input, resolution: policy.value, signatures: merge(sets), outcomes, unable } };
}

function askedOf({ authorities, mode }: MatchingPolicy): readonly AskedAuthority[] {
  const asked = authorities.filter((authority) => authority.static === undefined);
  return asked.map((authority) => ({ ...authority, durably: mode === 'enforce' }));
}

async function findSignatures(
  input: VerificationInput,
  authorities: readonly AskedAuthority[],
  checklist: Checklist,
): Promise<Found> {
  const sources = new Map<string, { readonly source: SignatureSource; readonly durably: boolean }>();
  for (const { sources: own, durably } of authorities) {
    for (const source of own) {
      const key = sourceKey(source);
      sources.set(key, { source, durably: durably || sources.get(key)?.durably === true });
    }
  }
  const found = await Promise.all(
    [...sources].map(async ([key, asked]) => [key, await fetchFrom(input, asked, checklist)] as const),
  );
  return new Map(found);
}

async function fetchFrom(
  input: VerificationInput,
  { source, durably }: { readonly source: SignatureSource; readonly durably: boolean },
  checklist: Checklist,
): Promise<Gathered<SignatureSet>> {
  const title = source.repository === undefined ? 'signatures' : `signatures in ${source.repository}`;
  const found = await runCheck(
    {
      title,
      summary: `signatures of ${input.name}@${input.digest}`,
      onTimeout: 'REGISTRY_TIMEOUT',
      durably,
      call: (activities, options) => activities.fetchSignatures.executeWithOptions(options, [{ ...input, source }]),
    },
    checklist,
  );
  if (found.ok) {
    const count = found.value.signatures.length;
    checklist.set(title, count > 0 ? 'passed' : 'failed', `${count} found`);
  }
  return found;
}

interface KeyStep {
  readonly authority: AskedAuthority;
  readonly key: Gathered<KeyCheck>;
}

async function checkKey(
  input: VerificationInput,
  statement: Envelope | undefined,
  authority: AskedAuthority,
  checklist: Checklist,
): Promise<KeyStep> {
  const title = `key of ${authority.policy}/${authority.authority}`;
  const told = authority.key === undefined || statement === undefined ? {} : { statement };
  const request = { ...input, ...told, policy: authority.policy, authority: authority.authority };
  const key = await runCheck(
    {
      title,
      summary: authority.key === undefined ? title : `${authority.key}, ${title}`,
      onTimeout: authority.key === undefined ? 'KEY_UNREADABLE' : 'KMS_TIMEOUT',
      durably: authority.durably,
      call: (activities, options) => activities.checkKey.executeWithOptions(options, [request]),
    },
    checklist,
  );
  if (key.ok && key.value.usable) checklist.set(title, 'passed', `${key.value.detail}, sha256:${key.value.keyId}`);
  else if (key.ok && !key.value.usable) checklist.set(title, 'failed', key.value.sentence, key.value.code);
  return { authority, key };
}

/** What became of one authority: a judgement, an inability, or both where one of its sources could not be read. */
interface AuthorityStep {
  readonly judged?: JudgedAuthority;
  readonly unable?: UnableAuthority;
}

async function judge(
  input: VerificationInput,
  statement: Envelope | undefined,
  { authority, key }: KeyStep,
  found: Found,
  checklist: Checklist,
): Promise<AuthorityStep> {
  const reference = { policy: authority.policy, authority: authority.authority };
  if (!key.ok) return { unable: { reference, inability: key.inability } };
  const sets = authority.sources.map((source) => found.get(sourceKey(source)));
  const signatures = sets.flatMap((set) => (set?.ok ? set.value.signatures : []));
  if (!key.value.usable) return { judged: { reference, outcome: rejectAll(signatures, key.value) } };
  const known = { keyId: key.value.keyId, statement };
  const result = await judgeAuthority(input, authority, known, signatures, checklist);
  if (!result.ok) return { unable: { reference, inability: result.inability } };
  const unread = sets.find((set) => set?.ok === false);
  return {
    judged: { reference, ...result.value },
    ...(unread?.ok === false ? { unable: { reference, inability: unread.inability } } : {}),
  };
}

/** Nothing satisfies an authority whose key is no use. */
function rejectAll(signatures: readonly SignatureReference[], { code, sentence }: Reason): AuthorityOutcome {
  return { satisfied: false, rejected: signatures.map(({ blob }) => ({ blob, code, sentence })) };
}

/** An authority that could not be asked matters only where no other one satisfies its policy, and where that enforces. */
function decisiveInability(
  matching: readonly MatchingPolicy[],
  outcomes: readonly JudgedAuthority[],
  unable: readonly UnableAuthority[],
): Reason | undefined {
  for (const { name, mode, authorities } of matching) {
    const isOwn = ({ reference }: { readonly reference: { readonly policy: string } }) => reference.policy === name;
    const passes = authorities.some((authority) => authority.static?.action === 'pass');
    if (mode === 'warn' || passes || outcomes.filter(isOwn).some(isAccepted)) continue;
    const own = unable.find(isOwn);
    if (own !== undefined) return own.inability;
  }
  return undefined;
}

function merge(sets: readonly SignatureSet[]): SignatureSet {
  return {
    signatures: sets.flatMap((set) => set.signatures),
    unreadable: sets.flatMap((set) => set.unreadable),
  };
}

/** Two authorities that name the same place share one look at it. */
function sourceKey({
  repository = '',
  tagPrefix = '',
  pullSecrets = [],
  coversIndexChildren,
}: SignatureSource): string {
  return JSON.stringify([repository, tagPrefix, pullSecrets, coversIndexChildren === true]);
}
