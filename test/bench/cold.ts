import { type Latency, summarize } from './latency.ts';
import { inTurn } from './rounds.ts';
import type { Stage, Subject } from './stage.ts';
import { timeSuccess } from './timed-exec.ts';

/** Their verifications are not counted: the first ones of a process load and compile code, in either program. */
const UNCOUNTED = 3;

/** Exec to exit for images that nobody has judged yet, beside cosign on the same images. */
export interface Cold {
  readonly launcher: Latency;
  readonly cosign: Latency;
  /** p50 of the launcher by p50 of cosign: below 1, the launcher is faster. */
  readonly ratio: number;
}

/** Each image is signed first and verified by both, every other one by cosign first. */
export async function measureCold(stage: Stage, images: number): Promise<Cold> {
  const subjects = await inTurn(UNCOUNTED + images, (round) => stage.signedImage('demo/cold', `v${round}`));
  const pairs: { readonly launcher: number; readonly cosign: number }[] = [];
  for (const [round, subject] of subjects.entries()) pairs.push(await verifyByBoth(stage, subject, round % 2 === 1));
  const counted = pairs.slice(UNCOUNTED);
  const launcher = summarize(counted.map((pair) => pair.launcher));
  const cosign = summarize(counted.map((pair) => pair.cosign));
  return { launcher, cosign, ratio: launcher.p50 / cosign.p50 };
}

async function verifyByBoth(stage: Stage, subject: Subject, cosignFirst: boolean) {
  const early = cosignFirst ? await timeSuccess(stage.cosignVerify(subject)) : undefined;
  const launcher = await timeSuccess(stage.launcher(subject));
  const cosign = early ?? (await timeSuccess(stage.cosignVerify(subject)));
  return { launcher, cosign };
}
