import type { PolicyHead } from '../../workflows/verdict/policy-head.ts';
import type { Envelope } from '../../workflows/verdict/verdict.ts';
import type { BackendAccess } from '../backend/ask.ts';
import { BackendProblem } from '../backend/backend.ts';
import { watchPolicy } from '../backend/policy-watch.ts';
import { type Revoked, revokedVerdict } from '../revoked.ts';
import { type Exportable, exportVerdict, type Refused } from './export-verdict.ts';

/** What the backend said about a list of images, under one policy statement. */
export interface Export {
  readonly head: PolicyHead;
  /** The statement as it was signed. */
  readonly policy: Envelope;
  readonly exported: readonly Exportable[];
  readonly refused: readonly Refused[];
}

/** The first statement comes within this, in ms, or there is no backend. */
const POLICY_MS = 15_000;

/** One image may take this long: nobody's pull waits for it. */
const IMAGE_MS = 60_000;

/** Images that are asked about at once, so that the pulls of nodes don't wait. */
const AT_ONCE = 8;

/**
 * Asks the backend about each image. Throws a BackendProblem when it states no policy; `onProgress` is told how many images are
 * done. Verdicts under another policy than the last that was stated, and of digests that it revokes, are refused.
 */
export async function exportImages(
  access: Omit<BackendAccess, 'policy'>,
  images: readonly string[],
  onProgress: (done: number) => void,
): Promise<Export> {
  const statements: { readonly head: PolicyHead; readonly carried: Envelope }[] = [];
  const policy = watchPolicy(access.backend, access.keys, () => {}, {
    fleet: access.fleet,
    onStatement: (head, carried) => void statements.splice(0, 1, { head, carried }),
  });
  try {
    const known = await policy.current(Date.now() + POLICY_MS);
    if (!known.ok) throw new BackendProblem(known.reason.code, known.reason.sentence);
    const answers = await askAll({ ...access, policy }, images, onProgress);
    const [newest] = statements;
    if (newest === undefined) throw new BackendProblem('POLICY_UNKNOWN', 'no policy statement came');
    const judged = answers.map((answer) =>
      'verdict' in answer ? underPolicy(answer, newest.head, policy.revoked()) : answer,
    );
    return {
      head: newest.head,
      policy: newest.carried,
      exported: judged.filter((one) => 'verdict' in one),
      refused: judged.filter((one) => 'code' in one),
    };
  } finally {
    policy.stop();
  }
}

/** The answers in the order of the images. */
async function askAll(
  access: BackendAccess,
  images: readonly string[],
  onProgress: (done: number) => void,
): Promise<readonly (Exportable | Refused)[]> {
  const answers: (Exportable | Refused)[] = [];
  const waiting = images.entries();
  let done = 0;
  async function askNext(): Promise<void> {
    for (const [index, image] of waiting) {
      answers[index] = await exportVerdict(access, image, Date.now() + IMAGE_MS);
      onProgress(++done);
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, askNext));
  return answers;
}

/** A verdict that no node could use under this statement is not worth carrying. */
function underPolicy(answer: Exportable, head: PolicyHead, revoked: Revoked): Exportable | Refused {
  const { name, digest, policyRevision } = answer.verdict;
  const image = `${name}@${digest}`;
  const reason = revokedVerdict(revoked, answer.verdict);
  if (reason !== undefined) return { image, code: reason.code, line: `${reason.code}: ${reason.sentence}` };
  if (policyRevision === head.policyRevision) return answer;
  const line = 'POLICY_CHANGED: the policy was replaced while it was exported; export again';
  return { image, code: 'POLICY_CHANGED', line };
}
