import { type Latency, summarize } from './latency.ts';
import type { ManagedKeyStage } from './managed-key-stage.ts';
import { inTurn } from './rounds.ts';
import type { Subject } from './stage.ts';
import { timeSuccess } from './timed-exec.ts';

/** Their verifications are not counted: the first ones of a process load and compile code, in either program. */
const UNCOUNTED = 3;

/** Exec to exit for images that were signed by a key in a KMS and judged by nobody yet. */
export interface ManagedKey {
  readonly launcher: Latency;
  readonly cosign: Latency;
  /** p50 of the launcher by p50 of cosign: below 1, the launcher is faster. */
  readonly ratio: number;
  /** Requests to the KMS of one verification. */
  readonly requests: { readonly launcher: number; readonly cosign: number };
}

interface Counted {
  readonly milliseconds: number;
  readonly requests: number;
}

/** Each image is signed first and verified by both, every other one by cosign first. */
export async function measureManagedKey(stage: ManagedKeyStage, images: number): Promise<ManagedKey> {
  const subjects = await inTurn(UNCOUNTED + images, (round) => stage.signedImage(`v${round}`));
  const pairs: { readonly launcher: Counted; readonly cosign: Counted }[] = [];
  for (const [round, subject] of subjects.entries()) pairs.push(await verifyByBoth(stage, subject, round % 2 === 1));
  const counted = pairs.slice(UNCOUNTED);
  const launcher = summarize(counted.map((pair) => pair.launcher.milliseconds));
  const cosign = summarize(counted.map((pair) => pair.cosign.milliseconds));
  return {
    ...{ launcher, cosign, ratio: launcher.p50 / cosign.p50 },
    requests: {
      launcher: mean(counted.map((pair) => pair.launcher.requests)),
      cosign: mean(counted.map((pair) => pair.cosign.requests)),
    },
  };
}

async function verifyByBoth(stage: ManagedKeyStage, subject: Subject, cosignFirst: boolean) {
  const byCosign = () => count(stage, () => timeSuccess(stage.cosignVerify(subject)));
  const early = cosignFirst ? await byCosign() : undefined;
  const launcher = await count(stage, () => timeSuccess(stage.launcher(subject)));
  return { launcher, cosign: early ?? (await byCosign()) };
}

async function count({ kms }: ManagedKeyStage, run: () => Promise<number>): Promise<Counted> {
  kms.takeRequests();
  const milliseconds = await run();
  return { milliseconds, requests: kms.takeRequests() };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
