import type { SignatureReference, SignatureSet, SignatureSource } from './activities.ts';
import type { Gathered } from './asked-authority.ts';
import { runCheck } from './check-runner.ts';
import type { Checklist } from './checklist.ts';
import { unavailableReason } from './unavailable-places.ts';
import { MAX_EVIDENCE_PARTS } from './verdict/deadlines.ts';
import type { Reason, ReasonCode } from './verdict/reason.ts';
import type { VerificationInput } from './verdict/verification-input.ts';

/** No signature, and nothing unreadable either. */
export const NOTHING_FOUND: SignatureSet = { signatures: [], unreadable: [] };

/** A source of evidence, and whether it is worth minutes. */
export interface AskedSource {
  readonly source: SignatureSource;
  readonly durably: boolean;
}

/** What was found in one source so far. */
export interface SourceState {
  readonly asked: AskedSource;
  /** All parts together. */
  readonly found: SignatureSet;
  /** What the last answer added. */
  readonly fresh: readonly SignatureReference[];
  /** What is asked next; absent when there is nothing left to ask. */
  readonly next?: PartRequest;
  /** Why evidence may be missing. */
  readonly inability?: Reason;
}

interface PartRequest {
  readonly part?: number;
  readonly allPlaces?: true;
}

/** Looks into a source for the first time. */
export function openSource(input: VerificationInput, asked: AskedSource, checklist: Checklist): Promise<SourceState> {
  return ask(input, { asked, found: NOTHING_FOUND, fresh: [] }, {}, checklist);
}

/**
 * Asks for what is missing: once more for the places that gave no answer, and then for the next part. A source that has
 * no more to ask stays as it is.
 */
export async function continueSource(
  input: VerificationInput,
  state: SourceState,
  checklist: Checklist,
): Promise<SourceState> {
  return state.next === undefined ? { ...state, fresh: [] } : ask(input, state, state.next, checklist);
}

async function ask(
  input: VerificationInput,
  state: SourceState,
  request: PartRequest,
  checklist: Checklist,
): Promise<SourceState> {
  const { source, durably } = state.asked;
  const title = source.repository === undefined ? 'signatures' : `signatures in ${source.repository}`;
  const which = request.part === undefined ? '' : `, part ${request.part + 1}`;
  const answer: Gathered<SignatureSet> = await runCheck(
    {
      title,
      summary: `signatures of ${input.name}@${input.digest}${which}`,
      onTimeout: 'REGISTRY_TIMEOUT',
      durably,
      call: (activities, options) =>
        activities.fetchSignatures.executeWithOptions(options, [{ ...input, source, ...request }]),
    },
    checklist,
  );
  const { next: _, inability: before, ...known } = state;
  if (!answer.ok) return { ...known, fresh: [], inability: answer.inability };
  const seen = new Set(state.found.signatures.map(keyOf));
  const fresh = answer.value.signatures.filter((signature) => !seen.has(keyOf(signature)));
  const found = join(input, state.found, answer.value, fresh);
  const count = found.signatures.length;
  checklist.set(title, count > 0 ? 'passed' : 'failed', `${count} found`);
  // A later part does not see that a signature of an earlier one is gone.
  const isKept = before !== undefined && isListedOnly(before.code) && request.allPlaces === undefined;
  const inability = unavailableReason(answer.value.unavailable ?? []) ?? (isKept ? before : undefined);
  const next = nextRequest(request, answer.value);
  return {
    ...{ asked: state.asked, found, fresh },
    ...(next === undefined ? {} : { next }),
    ...(inability === undefined ? {} : { inability }),
  };
}

function nextRequest(
  { part = 0, allPlaces }: PartRequest,
  { unavailable = [], more }: SignatureSet,
): PartRequest | undefined {
  const mayCome = unavailable.filter(({ retryable }) => retryable);
  const again = allPlaces === undefined ? ({ part, allPlaces: true } as const) : undefined;
  if (again !== undefined && mayCome.some(({ code }) => !isListedOnly(code))) return again;
  // What is listed and gone goes last: anyone who may push can bring it about, and no good evidence may wait for it.
  if (more === true && part + 1 < MAX_EVIDENCE_PARTS) return { part: part + 1 };
  return mayCome.length > 0 ? again : undefined;
}

/** Whether a place has answered, and does not serve what it lists. */
function isListedOnly(code: ReasonCode): boolean {
  return code === 'EVIDENCE_NOT_SERVED';
}

/** How many unreadable artefacts are remembered of all parts: a reason names fewer. */
const MAX_UNREADABLE = 100;

/** What an earlier part says of the whole is no longer true; it is named after the image. */
function join(
  { name }: VerificationInput,
  before: SignatureSet,
  { unreadable }: SignatureSet,
  fresh: readonly SignatureReference[],
): SignatureSet {
  const named = new Map(
    [...before.unreadable.filter(({ artefact }) => artefact !== name), ...unreadable].map((one) => [
      `${one.artefact} ${one.code} ${one.sentence}`,
      one,
    ]),
  );
  return {
    signatures: [...before.signatures, ...fresh],
    unreadable: [...named.values()].slice(0, MAX_UNREADABLE),
  };
}

/** One signature may lie in several places, and only one of them with what makes it valid. */
function keyOf(reference: SignatureReference): string {
  const { place, manifest, blob, index = '' } = reference;
  return `${place} ${manifest} ${blob} ${index} ${reference.format === 'bundle' ? '' : reference.layer}`;
}

/** Two authorities that name the same place share one look at it. */
export function sourceKey({
  repository = '',
  tagPrefix = '',
  pullSecrets = [],
  coversIndexChildren,
  everyPart,
}: SignatureSource): string {
  return JSON.stringify([repository, tagPrefix, pullSecrets, coversIndexChildren === true, everyPart === true]);
}
