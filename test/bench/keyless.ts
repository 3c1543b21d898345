import type { DistantServer } from './distant-server.ts';
import type { KeylessStage, Repository } from './keyless-stage.ts';
import { type Latency, summarize } from './latency.ts';
import { inTurn } from './rounds.ts';
import type { Subject } from './stage.ts';
import { timeSuccess } from './timed-exec.ts';

/** Their verifications are not counted: the first ones of a process load and compile code, in either program. */
const UNCOUNTED = 3;

/** Between here and registry and log, in ms. */
const ROUND_TRIPS_MS = [0, 20] as const;

/** Exec to exit for images that were signed by identity and judged by nobody yet, at one distance. */
export interface KeylessRound {
  readonly roundTripMs: number;
  readonly launcher: Latency;
  readonly cosign: Latency;
  /** p50 of the launcher by p50 of cosign: below 1, the launcher is faster. */
  readonly ratio: number;
  /** The launcher where the policy has the live log asked as well. */
  readonly live: Latency;
  /** Requests of one verification. */
  readonly requests: Requests;
}

export interface Requests {
  readonly registry: number;
  readonly registryByCosign: number;
  /** With the proof in the bundle, and with the live log asked. */
  readonly log: number;
  readonly logLive: number;
}

export async function measureKeyless(stage: KeylessStage, images: number): Promise<readonly KeylessRound[]> {
  return await inTurn(ROUND_TRIPS_MS.length, (at) => measureAt(stage, images, ROUND_TRIPS_MS[at] ?? 0));
}

async function measureAt(stage: KeylessStage, images: number, roundTripMs: number): Promise<KeylessRound> {
  const signed = (repository: Repository) =>
    inTurn(UNCOUNTED + images, (round) => stage.signedImage(repository, `rtt${roundTripMs}-${round}`));
  const offline = await signed('demo/keyless/offline');
  const live = await signed('demo/keyless/live');
  const servers = [stage.registry, stage.log];
  for (const server of servers) server.roundTripMs = roundTripMs;
  const pairs = await inTurn(offline.length, (round) => verifyByBoth(stage, offline, round));
  const confirmed = await inTurn(live.length, async (round) =>
    count(stage, () => timeSuccess(stage.launcher(subjectAt(live, round)))),
  );
  for (const server of servers) server.roundTripMs = 0;
  const counted = pairs.slice(UNCOUNTED);
  const launcher = summarize(counted.map((pair) => pair.launcher.milliseconds));
  const cosign = summarize(counted.map((pair) => pair.cosign.milliseconds));
  return {
    ...{ roundTripMs, launcher, cosign, ratio: launcher.p50 / cosign.p50 },
    live: summarize(confirmed.slice(UNCOUNTED).map(({ milliseconds }) => milliseconds)),
    requests: {
      registry: mean(counted.map((pair) => pair.launcher.registry)),
      registryByCosign: mean(counted.map((pair) => pair.cosign.registry)),
      log: mean(counted.map((pair) => pair.launcher.log)),
      logLive: mean(confirmed.slice(UNCOUNTED).map(({ log }) => log)),
    },
  };
}

interface Counted {
  readonly milliseconds: number;
  readonly registry: number;
  readonly log: number;
}

/** Every other image by cosign first. */
async function verifyByBoth(stage: KeylessStage, subjects: readonly Subject[], round: number) {
  const subject = subjectAt(subjects, round);
  const byCosign = () => count(stage, () => timeSuccess(stage.cosignVerify(subject)));
  const early = round % 2 === 1 ? await byCosign() : undefined;
  const launcher = await count(stage, () => timeSuccess(stage.launcher(subject)));
  return { launcher, cosign: early ?? (await byCosign()) };
}

async function count(
  { registry, log }: { readonly registry: DistantServer; readonly log: DistantServer },
  run: () => Promise<number>,
): Promise<Counted> {
  registry.takeRequests();
  log.takeRequests();
  const milliseconds = await run();
  return { milliseconds, registry: registry.takeRequests(), log: log.takeRequests() };
}

function subjectAt(subjects: readonly Subject[], round: number): Subject {
  const subject = subjects[round];
  if (subject === undefined) throw new Error(`expected ${round + 1} signed images, found ${subjects.length}`);
  return subject;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
