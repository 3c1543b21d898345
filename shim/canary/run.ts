import { randomBytes } from 'node:crypto';
import type { Digest } from '../../workflows/digest.ts';
import { createCanaryImage } from './artefact.ts';
import type { PullClient } from './clients.ts';
import { startCanaryRegistry } from './registry.ts';
import { PASSED_REPOSITORY, REFUSED_REPOSITORY } from './rule.ts';

/** What a canary showed of one way to pull. Closed, and an interface. */
export type CanaryOutcome =
  /** What has to be refused is refused by us, and what has to pass passes. */
  | 'green'
  /** What has to be refused was pulled: containerd doesn't ask. */
  | 'bypassed'
  /** It was refused, and not in our words: another verifier, a daemon that is away, no containerd that pulls at all. */
  | 'refused-by-others'
  /** What has to pass was refused. */
  | 'good-refused'
  /** There was nobody to pull. */
  | 'no-client';

export interface CanaryResult {
  readonly client: string;
  readonly outcome: CanaryOutcome;
  /** One sentence: what was seen, and for anything but green what to do. */
  readonly sentence: string;
}

/** Lets the good image in for as long as it is under way, and answers how to end that; `undefined` leaves that half out. */
export type Permit = (digest: Digest) => Promise<() => unknown>;

/** Pulls both images by each client, one after the other, and takes them off the node again. Never rejects. */
export async function runCanary(
  clients: readonly PullClient[],
  permit: Permit | undefined,
): Promise<readonly CanaryResult[]> {
  const [bad, good] = [createCanaryImage(), createCanaryImage()];
  const registry = await startCanaryRegistry(
    new Map([
      [REFUSED_REPOSITORY, bad],
      [PASSED_REPOSITORY, good],
    ]),
  );
  const tag = randomBytes(8).toString('hex'); // a name of its own: nothing is on the node already
  const images = {
    bad: { name: `${registry.address}/${REFUSED_REPOSITORY}:${tag}`, digest: bad.digest },
    good: { name: `${registry.address}/${PASSED_REPOSITORY}:${tag}`, digest: good.digest },
  };
  const permission = onDemand(permit, good.digest);
  try {
    const results: CanaryResult[] = [];
    for (const client of clients) results.push(await tryClient(client, images, permission.get));
    return results;
  } finally {
    await permission.end();
    await registry.stop();
  }
}

/** The good image is let in from when it is needed on: who pulls the bad one needs no more. */
function onDemand(permit: Permit | undefined, digest: Digest) {
  let given: ReturnType<Permit> | undefined;
  return {
    /** Absent when there is no permission to be had. */
    get: permit === undefined ? undefined : () => (given ??= permit(digest)),
    end: async () => await (await given)?.(),
  };
}

interface Images {
  readonly bad: { readonly name: string; readonly digest: Digest };
  readonly good: { readonly name: string; readonly digest: Digest };
}

async function tryClient(
  client: PullClient,
  { bad, good }: Images,
  permission: (() => Promise<unknown>) | undefined,
): Promise<CanaryResult> {
  const result = (outcome: CanaryOutcome, sentence: string) => ({ client: client.name, outcome, sentence });
  try {
    const refusal = await client.pull(bad.name);
    if (refusal === undefined) {
      return result(
        'bypassed',
        'an image that has to be refused was pulled: containerd does not ask; run portcullis doctor',
      );
    }
    if (!refusal.includes(`CANARY_REFUSED: ${bad.digest}`)) {
      return result('refused-by-others', `the bad image was refused, and not by portcullis: ${firstLine(refusal)}`);
    }
    if (permission === undefined)
      return result('green', 'the bad image was refused by portcullis; the good one was not tried');
    await permission();
    const problem = await client.pull(good.name);
    if (problem !== undefined) return result('good-refused', `the good image was refused: ${firstLine(problem)}`);
    return result('green', 'the bad image was refused by portcullis, the good one was pulled');
  } catch (error) {
    return result('no-client', firstLine(error instanceof Error ? error.message : String(error)));
  } finally {
    for (const { name } of [bad, good]) await client.remove(name);
  }
}

function firstLine(text: string): string {
  return text.trim().replaceAll(/\s+/g, ' ').slice(0, 1_000);
}
