import { type Outcome, REASON_OUTCOME } from '../../workflows/verdict/reason.ts';
import { messageOf } from '../log/message-of.ts';
import { CanaryBusy, type CanarySource, type OpenCanary } from './canary.ts';
import type { PullClient } from './clients.ts';
import { type CanaryResult, type CanaryStep, resultOf } from './outcome.ts';

/** Pulls both images of a canary, and takes them off the node again. Never rejects. */
export async function runCanary(source: CanarySource, client: PullClient, signal?: AbortSignal): Promise<CanaryResult> {
  let canary: OpenCanary;
  try {
    canary = await source.open();
  } catch (error) {
    return resultOf(client.name, error instanceof CanaryBusy ? 'not-decided' : 'no-daemon', oneLine(messageOf(error)));
  }
  try {
    return await tryBoth(client, canary, signal);
  } catch (error) {
    return resultOf(client.name, 'no-client', oneLine(messageOf(error)));
  } finally {
    for (const { name } of [canary.bad, canary.good]) await client.remove(name);
    await client.sweep();
    await canary.close();
  }
}

async function tryBoth(client: PullClient, canary: OpenCanary, signal?: AbortSignal): Promise<CanaryResult> {
  const { bad, good, nonce } = canary;
  const steps: CanaryStep[] = [];
  const red = (outcome: CanaryResult['outcome'], sentence: string) => resultOf(client.name, outcome, sentence, steps);

  const refusal = await client.pull(bad.name, signal);
  if (refusal === undefined) return red('bypassed', 'the bad image was pulled');
  if (!refusal.includes('CANARY_REFUSED: ') || !refusal.includes(nonce)) {
    const [outcome, what] = isRefusal(refusal)
      ? (['refused-by-others', 'was refused, and not in our words'] as const)
      : (['pull-failed', 'could not be pulled, and not because it was refused'] as const);
    return red(outcome, `the bad image ${what}: ${oneLine(refusal)}`);
  }
  steps.push({ ok: true, sentence: 'the bad image was refused in our own words' });

  const problem = await client.pull(good.name, signal);
  if (problem !== undefined) {
    const [outcome, what] = isRefusal(problem)
      ? (['good-refused', 'was refused'] as const)
      : (['pull-failed', 'could not be pulled, and not because it was refused'] as const);
    return red(outcome, `the good image ${what}: ${oneLine(problem)}`);
  }
  steps.push({ ok: true, sentence: 'the good image was pulled' });

  for (const [which, { digest }] of [['bad', bad] as const, ['good', good] as const]) {
    if (!(await canary.wasAsked(digest))) {
      return red('not-asked', `the launcher did not ask the daemon about the ${which} image`);
    }
  }
  return resultOf(client.name, 'green', 'the daemon was asked about both', steps);
}

/** Pulls an image of the user's, which passes or is refused by the whole way through the backend. Never rejects. */
export async function runOwnImage(
  client: PullClient,
  image: string,
  expected: 'pass' | 'refuse',
  signal?: AbortSignal,
): Promise<CanaryResult> {
  const result = (outcome: CanaryResult['outcome'], sentence: string) => resultOf(client.name, outcome, sentence);
  let isNew = false;
  try {
    isNew = !(await client.has(image));
    const refusal = await client.pull(image, signal);
    if (refusal === undefined) {
      return expected === 'pass' ? result('green', `${image} was pulled`) : result('bypassed', `${image} was pulled`);
    }
    if (!isRefusal(refusal)) return result('pull-failed', `${image} could not be pulled: ${oneLine(refusal)}`);
    const outcome = decisionIn(refusal);
    if (outcome === 'inconclusive') return result('not-decided', `${image}: ${oneLine(refusal)}`);
    if (expected === 'pass') return result('good-refused', `${image} was refused: ${oneLine(refusal)}`);
    if (outcome === 'deny') return result('green', `${image} was refused: ${oneLine(refusal)}`);
    return result('refused-by-others', `${image} was refused, and not in our words: ${oneLine(refusal)}`);
  } catch (error) {
    return result('no-client', oneLine(messageOf(error)));
  } finally {
    if (isNew) await client.remove(image);
    await client.sweep();
  }
}

/** The words of containerd 2.1 to 2.4 (`core/transfer/local/pull.go`) for a verifier's no, and for one that failed. */
function isRefusal(text: string): boolean {
  return /image verifier \S+ blocked pull of |blocking pull of .* image verifier \S+ returned error/s.test(text);
}

/** What our words in a refusal mean: those of the first code. */
function decisionIn(refusal: string): Outcome | undefined {
  const codes = refusal.matchAll(/\b([A-Z][A-Z0-9_]+): /g);
  const outcomes: Readonly<Record<string, Outcome>> = REASON_OUTCOME;
  for (const [, code = ''] of codes) if (Object.hasOwn(outcomes, code)) return outcomes[code];
  return undefined;
}

function oneLine(text: string): string {
  return text.trim().replaceAll(/\s+/g, ' ').slice(0, 1_000);
}
