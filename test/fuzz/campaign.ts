import type { Input } from './input.ts';
import { mutate } from './mutate.ts';
import { Random } from './random.ts';
import type { Target } from './target.ts';

/** An input that made a reader break its contract. */
export interface Find {
  readonly number: number;
  readonly input: Input;
  readonly problem: string;
}

/** What a campaign against one target came to. */
export interface Campaign {
  readonly inputs: number;
  readonly accepted: number;
  readonly slowestMs: number;
  readonly finds: readonly Find[];
}

export interface CampaignOptions {
  readonly seed: string;
  /** Asked before each input. */
  readonly goesOn: (number: number) => boolean;
}

/** More finds of one campaign are likely one and the same. */
const MAX_FINDS = 10;

/** A reader that takes longer for one input than this (ms) can be kept busy; real ones take a hundredth of it. */
const SLOW_MS = 10_000;

/** Gives a target one input after the other; they follow from the seed. */
export async function attack(target: Target, { seed, goesOn }: CampaignOptions): Promise<Campaign> {
  const finds: Find[] = [];
  let [number, accepted, slowestMs] = [0, 0, 0];
  for (; finds.length < MAX_FINDS && goesOn(number); number++) {
    const input = inputOf(target, seed, number);
    const began = performance.now();
    const outcome = await tryInput(target, input);
    const took = performance.now() - began;
    slowestMs = Math.max(slowestMs, took);
    if (outcome === 'accepted') accepted++;
    if (typeof outcome !== 'string') finds.push({ number, input, problem: outcome.problem });
    else if (took > SLOW_MS) finds.push({ number, input, problem: `it took ${Math.round(took)} ms` });
  }
  return { inputs: number, accepted, slowestMs, finds };
}

/** The `number`th input of a campaign: it follows from the seed, whatever came before. */
export function inputOf(target: Target, seed: string, number: number): Input {
  const random = new Random(seed, target.name, number);
  return mutate(random.pick(target.seeds), random.pick(target.seeds), random);
}

/** Gives one input to a target; what it throws is a problem. */
export async function tryInput(
  target: Target,
  input: Input,
): Promise<'accepted' | 'refused' | { readonly problem: string }> {
  try {
    return await target.run(input);
  } catch (error) {
    return { problem: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
