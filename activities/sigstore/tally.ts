import type { Refusal, Step } from './judgement.ts';

/** What held of one kind of proof, and why the first that was passed over did not. */
export interface Tally<T> {
  readonly proven: readonly T[];
  readonly passedOver: Refusal | undefined;
}

/** How a proof that does not hold is met: it ends the judgement, or it only does not count. */
export type Severity = 'refuse' | 'pass over';

/** Proves one after the other, in order. */
export function tally<Input, T>(
  inputs: readonly Input[],
  prove: (input: Input) => Step<T>,
  severity: (refusal: Refusal, input: Input) => Severity,
): Step<Tally<T>> {
  const proven: T[] = [];
  let passedOver: Refusal | undefined;
  for (const input of inputs) {
    const step = prove(input);
    if (step.ok) proven.push(step.value);
    else if (severity(step.refusal, input) === 'refuse') return step;
    else passedOver ??= step.refusal;
  }
  return { ok: true, value: { proven, passedOver } };
}
