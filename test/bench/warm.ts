import { type Latency, summarize } from './latency.ts';
import { inParallel, inTurn } from './rounds.ts';
import type { Stage } from './stage.ts';
import { timeSuccess } from './timed-exec.ts';

const AT_ONCE = 8;

/** Exec to exit of the launcher for an image whose verdict is known, beside what the measuring itself costs. */
export interface Warm {
  readonly launcher: Latency;
  readonly noOp: Latency;
  readonly atOnce: number;
  readonly launcherAtOnce: Latency;
  readonly noOpAtOnce: Latency;
}

/** Launcher and no-op take turns, so that a disturbance of the machine meets both. */
export async function measureWarm(stage: Stage, rounds: number): Promise<Warm> {
  const subject = await stage.signedImage('demo/warm', 'v1');
  const launcher = () => timeSuccess(stage.launcher(subject));
  const noOp = () => timeSuccess(stage.noOp(subject));
  await inTurn(Math.ceil(rounds / 10), launcher);
  const pairs = await inTurn(rounds, async () => ({ launcher: await launcher(), noOp: await noOp() }));
  return {
    launcher: summarize(pairs.map((pair) => pair.launcher)),
    noOp: summarize(pairs.map((pair) => pair.noOp)),
    atOnce: AT_ONCE,
    launcherAtOnce: summarize(await inParallel(rounds, AT_ONCE, launcher)),
    noOpAtOnce: summarize(await inParallel(rounds, AT_ONCE, noOp)),
  };
}
