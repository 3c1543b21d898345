import { parseDescriptor } from '../../workflows/format/descriptor.ts';
import type { Digest } from '../../workflows/format/digest.ts';
import { nameWithoutDigest, parseName, pulledName } from '../../workflows/format/name.ts';
import type { ReasonCode } from '../../workflows/verdict/reason.ts';
import type { Envelope, Verdict } from '../../workflows/verdict/verdict.ts';
import { goodUntil, usableUntil } from '../../workflows/verdict/verdict-times.ts';
import { askBackend, type BackendAccess } from '../backend/ask.ts';
import { BackendProblem } from '../backend/backend.ts';
import { type Decision, type PullRequest, reasonsOf } from '../decision.ts';
import { toJudgement } from '../judgement.ts';

/** An image that a node may use without a backend, and the signed proof. */
export interface Exportable {
  readonly verdict: Verdict;
  readonly envelope: Envelope;
}

/** An image that can't be carried to a node, and why. */
export interface Refused {
  readonly image: string;
  readonly code: ReasonCode | 'OFFLINE_USE_MISSING';
  /** One line that begins with the code. */
  readonly line: string;
}

/** Asks the backend about one image as a node does, until a deadline (Unix ms). Never throws for what the backend does. */
export async function exportVerdict(
  access: BackendAccess,
  image: string,
  deadline: number,
): Promise<Exportable | Refused> {
  const refuse = (code: Refused['code'], sentence: string): Refused => ({ image, code, line: `${code}: ${sentence}` });
  const name = parseName(image);
  if (name === undefined) {
    return refuse('REQUEST_INVALID', 'expected an image name such as docker.io/library/alpine:3.22, found none');
  }
  const digest = name.digest ?? (await resolve(access, nameWithoutDigest(name), deadline));
  if (typeof digest !== 'string') return refuse(digest.code, digest.message);
  const request: PullRequest = { name: pulledName(name), digest };
  const carried: Envelope[] = [];
  const note = (_verdict: Verdict, envelope: Envelope) => void carried.push(envelope);
  const decision = await askBackend({ ...access, onVerdict: note }, request, { deadline });
  return permitted(decision, carried.at(-1)) ?? refusedBy(image, decision);
}

/** What a tag points to now. */
async function resolve({ backend }: BackendAccess, name: string, deadline: number): Promise<Digest | BackendProblem> {
  try {
    const found = parseDescriptor(await backend.resolve(name, deadline));
    return found?.digest ?? new BackendProblem('INTERNAL', 'the worker answered with something that is no descriptor');
  } catch (error) {
    if (error instanceof BackendProblem) return error;
    throw error;
  }
}

/** Only an allow that outlives the backend is worth carrying. */
function permitted(decision: Decision, envelope: Envelope | undefined): Exportable | undefined {
  if (decision.by !== 'verdict' || !toJudgement(decision).ok || envelope === undefined) return undefined;
  const { verdict } = decision;
  return usableUntil(verdict) > goodUntil(verdict) ? { verdict, envelope } : undefined;
}

function refusedBy(image: string, decision: Decision): Refused {
  const { ok, reason } = toJudgement(decision);
  if (!ok) return { image, code: reasonsOf(decision)[0].code, line: reason };
  const cure = 'add an OfflineUse document whose spec.images match it (workflows/policy/README.md says how)';
  const line = `OFFLINE_USE_MISSING: it is allowed, but the policy permits no use without a backend; ${cure}`;
  return { image, code: 'OFFLINE_USE_MISSING', line };
}
