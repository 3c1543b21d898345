import { type Decision, decisionIdOf, outcomeOf, reasonsOf } from './decision.ts';

/** The answer to containerd: may the pull go on, and one line that says why. */
export interface Judgement {
  readonly ok: boolean;
  readonly reason: string;
}

/**
 * The one place where a decision becomes yes or no. The reason is one line with the decisive words first, because a
 * pod event shows no more: `UNSIGNED: no signature found ... (portcullis explain 4xk...)`.
 */
export function toJudgement(decision: Decision): Judgement {
  const [first, ...rest] = reasonsOf(decision);
  const also = rest.map((reason) => `; ${reason.code}: ${reason.sentence}`).join('');
  const id = decisionIdOf(decision);
  const more = id === undefined ? '' : ` (portcullis explain ${id})`;
  return {
    ok: decision.by !== 'node' && outcomeOf(decision) === 'allow',
    reason: `${first.code}: ${first.sentence}${also}${more}`,
  };
}
