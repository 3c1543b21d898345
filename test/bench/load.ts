import { type Latency, summarize } from './latency.ts';
import { type ResidentMemory, readResidentMemory } from './resident-memory.ts';
import { inParallel, inTurn } from './rounds.ts';
import type { Stage } from './stage.ts';
import { timeExec } from './timed-exec.ts';

const AT_ONCE = 16;
const SIGNED_DIGESTS = 5;

/** What many verifications at once do to the processes. */
export interface Load {
  readonly verifications: number;
  readonly atOnce: number;
  readonly perSecond: number;
  readonly launcher: Latency;
  readonly before: ResidentMemory;
  readonly after: ResidentMemory;
  /** Too much at once is an answer too: the reasons of the refusals, each with its count. */
  readonly refused: Readonly<Record<string, number>>;
}

/** A verdict is for a name and a digest, so each verification has a name of its own; the digests are few. */
export async function measureLoad(stage: Stage, verifications: number): Promise<Load> {
  const { house } = stage;
  const signed = await inTurn(SIGNED_DIGESTS, (round) => stage.signedImage('demo/load', `signed${round}`));
  const before = await readResidentMemory(house);
  const began = performance.now();
  const exits = await inParallel(verifications, AT_ONCE, (round) => {
    const digest = signed[round % SIGNED_DIGESTS]?.digest;
    if (digest === undefined) throw new Error(`expected ${SIGNED_DIGESTS} signed images, found ${signed.length}`);
    return timeExec(stage.launcher({ name: `${house.registry.address}/demo/load:v${round}`, digest }));
  });
  const seconds = (performance.now() - began) / 1_000;
  const after = await readResidentMemory(house);
  const reasons = exits.filter(({ exitCode }) => exitCode !== 0).map(({ output }) => codeOf(output));
  return {
    ...{ verifications, atOnce: AT_ONCE, before, after },
    perSecond: (verifications - reasons.length) / seconds,
    launcher: summarize(exits.map(({ milliseconds }) => milliseconds)),
    refused: Object.fromEntries(
      Object.entries(Object.groupBy(reasons, (code) => code)).map(([k, v]) => [k, v?.length ?? 0]),
    ),
  };
}

/** A refusal begins with its code. */
function codeOf(output: string): string {
  return /^[A-Z_]+(?=: )/.exec(output)?.[0] ?? 'no reason';
}
