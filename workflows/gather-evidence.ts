import type { AuthorityOutcome, KeyCheck, MatchingPolicy, SignatureReference, SignatureSet } from './activities.ts';
import type { AskedAuthority, Gathered } from './asked-authority.ts';
import { runCheck } from './check-runner.ts';
import type { Checklist } from './checklist.ts';
import type { Digest } from './format/digest.ts';
import { judgeAuthority } from './judge-authority.ts';
import { type Evidence, isAccepted, type JudgedAuthority, type UnableAuthority } from './policy/evaluate.ts';
import { unsatisfiedReason } from './policy/sentence.ts';
import { type AskedSource, continueSource, openSource, type SourceState, sourceKey } from './signature-source.ts';
import type { Reason } from './verdict/reason.ts';
import type { Envelope } from './verdict/verdict.ts';
import type { VerificationInput } from './verdict/verification-input.ts';

/**
 * Gathers all that a verdict rests on: the matching policies, then signatures and keys side by side, then what each
 * authority makes of the signatures. The registry is not asked about an image that no policy wants evidence of. Where
 * the evidence of a policy proves nothing, its places are asked for what is missing until nothing is.
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
  const [sources, keys] = await Promise.all([
    openSources(input, authorities, checklist),
    Promise.all(authorities.map((authority) => checkKey(input, statement, authority, checklist))),
  ]);
  const gathering: Gathering = { input, statement, checklist };
  let steps = await Promise.all(keys.map((step) => judge(gathering, startOf(step), sources)));
  for (;;) {
    const open = openOf(matching, steps);
    const due = sourcesOf(open, sources).filter(([, state]) => state.next !== undefined);
    if (due.length === 0) break;
    for (const [key, state] of await continueAll(input, due, checklist)) sources.set(key, state);
    const asked = new Set(due.map(([key]) => key));
    steps = await Promise.all(
      steps.map((step) => (open.includes(step) ? judge(gathering, step, sources, asked) : step)),
    );
  }
  const outcomes = steps.flatMap(({ judged }) => judged);
  const unable = steps.flatMap((step) => unableOf(step, sources));
  const decisive = decisiveInability(matching, outcomes, unable);
  if (decisive !== undefined) {
    return { ok: false, inability: decisive.inability, also: refusalsOf(input, decisive.policy, outcomes) };
  }
  const sets = [...sources.values()].map(({ found }) => found);
  return { ok: true, value: { input, resolution: policy.value, signatures: merge(sets), outcomes, unable } };
}

function askedOf({ authorities, mode }: MatchingPolicy): readonly AskedAuthority[] {
  const asked = authorities.filter((authority) => authority.static === undefined);
  return asked.map((authority) => ({ ...authority, durably: mode === 'enforce' }));
}

/** What was found in each source that an authority names, by {@link sourceKey}. */
type Sources = Map<string, SourceState>;

async function openSources(
  input: VerificationInput,
  authorities: readonly AskedAuthority[],
  checklist: Checklist,
): Promise<Sources> {
  const asked = new Map<string, AskedSource>();
  for (const { sources: own, durably } of authorities) {
    for (const source of own) {
      const key = sourceKey(source);
      asked.set(key, { source, durably: durably || asked.get(key)?.durably === true });
    }
  }
  const states = [...asked].map(async ([key, one]) => [key, await openSource(input, one, checklist)] as const);
  return new Map(await Promise.all(states));
}

function continueAll(
  input: VerificationInput,
  due: readonly (readonly [string, SourceState])[],
  checklist: Checklist,
): Promise<readonly (readonly [string, SourceState])[]> {
  return Promise.all(due.map(async ([key, state]) => [key, await continueSource(input, state, checklist)] as const));
}

/** The sources of some authorities, each once. */
function sourcesOf(steps: readonly AuthorityStep[], sources: Sources): readonly (readonly [string, SourceState])[] {
  const keys = new Set(steps.flatMap(({ authority }) => authority.sources.map(sourceKey)));
  return [...sources].filter(([key]) => keys.has(key));
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

/** What all steps of one verification share. */
interface Gathering {
  readonly input: VerificationInput;
  readonly statement: Envelope | undefined;
  readonly checklist: Checklist;
}

/** What became of one authority so far: a judgement of each part of the evidence, and what could not be found out. */
interface AuthorityStep extends KeyStep {
  readonly judged: readonly JudgedAuthority[];
  /** Evidence that satisfies a part of its rule, to be judged together with what is found later. */
  readonly partial: readonly Digest[];
  readonly inability?: Reason;
}

function startOf({ authority, key }: KeyStep): AuthorityStep {
  const start = { authority, key, judged: [], partial: [] };
  return key.ok ? start : { ...start, inability: key.inability };
}

/** Judges what the last answers of its sources added; `only` names the sources that were asked. */
async function judge(
  { input, statement, checklist }: Gathering,
  step: AuthorityStep,
  sources: Sources,
  only?: ReadonlySet<string>,
): Promise<AuthorityStep> {
  const { authority, key, judged, partial } = step;
  if (!key.ok || step.inability !== undefined) return step;
  const reference = { policy: authority.policy, authority: authority.authority };
  const states = authority.sources.map((source) => [sourceKey(source), sources.get(sourceKey(source))] as const);
  const unread = states.flatMap(([, state]) => (state?.asked.source.everyPart === true ? (state.inability ?? []) : []));
  if (unread[0] !== undefined) return { ...step, inability: unread[0] };
  const fresh = states.flatMap(([name, state]) => (only?.has(name) === false ? [] : (state?.fresh ?? [])));
  if (only !== undefined && fresh.length === 0) return step;
  if (!key.value.usable) {
    return { ...step, judged: [...judged, { reference, outcome: rejectAll(fresh, key.value) }] };
  }
  const held = states
    .flatMap(([, state]) => state?.found.signatures ?? [])
    .filter((one) => partial.includes(one.blob) && !fresh.includes(one));
  const known = { keyId: key.value.keyId, statement };
  const result = await judgeAuthority(input, authority, known, [...held, ...fresh], checklist);
  if (!result.ok) return { ...step, inability: result.inability };
  const { outcome } = result.value;
  const more = outcome.satisfied ? [] : (outcome.partial ?? []);
  return { ...step, judged: [...judged, { reference, ...result.value }], partial: [...new Set([...partial, ...more])] };
}

/** The authorities of policies that are not satisfied yet: an answer that is missing matters to no other. */
function openOf(matching: readonly MatchingPolicy[], steps: readonly AuthorityStep[]): readonly AuthorityStep[] {
  const outcomes = steps.flatMap(({ judged }) => judged);
  const open = matching.filter((policy) => !isSatisfied(policy, outcomes)).map(({ name }) => name);
  return steps.filter(
    ({ authority, key, inability }) =>
      open.includes(authority.policy) && key.ok && key.value.usable && inability === undefined,
  );
}

/** What could not be found out about an authority: its own trouble, or that of a place of its evidence. */
function unableOf({ authority, inability }: AuthorityStep, sources: Sources): readonly UnableAuthority[] {
  const reference = { policy: authority.policy, authority: authority.authority };
  const unread = authority.sources.flatMap((source) => sources.get(sourceKey(source))?.inability ?? [])[0];
  const found = inability ?? unread;
  return found === undefined ? [] : [{ reference, inability: found }];
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
): { readonly policy: MatchingPolicy; readonly inability: Reason } | undefined {
  for (const policy of matching) {
    if (policy.mode === 'warn' || isSatisfied(policy, outcomes)) continue;
    const own = unable.find(({ reference }) => reference.policy === policy.name);
    if (own !== undefined) return { policy, inability: own.inability };
  }
  return undefined;
}

/** What the evidence that could be read says: for people, who may have signed with another key. */
function refusalsOf(
  input: VerificationInput,
  policy: MatchingPolicy,
  outcomes: readonly JudgedAuthority[],
): readonly Reason[] {
  const own = outcomes.filter(({ reference }) => reference.policy === policy.name);
  const isRefused = own.some(
    ({ outcome, log }) => log !== undefined || (!outcome.satisfied && outcome.rejected.length > 0),
  );
  return isRefused ? [unsatisfiedReason(input, policy, own)] : [];
}

function isSatisfied({ name, authorities }: MatchingPolicy, outcomes: readonly JudgedAuthority[]): boolean {
  const passes = authorities.some((authority) => authority.static?.action === 'pass');
  return passes || outcomes.some((judged) => judged.reference.policy === name && isAccepted(judged));
}

function merge(sets: readonly SignatureSet[]): SignatureSet {
  return {
    signatures: sets.flatMap((set) => set.signatures),
    unreadable: sets.flatMap((set) => set.unreadable),
  };
}
