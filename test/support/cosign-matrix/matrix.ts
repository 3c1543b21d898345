import { mapParallel } from '../../../activities/registry/parallel.ts';
import type { SignatureContent } from '../../../activities/sigstore/evidence/content.ts';
import type { Digest } from '../../../workflows/format/digest.ts';
import { pushImage } from '../registry-push.ts';
import { type Answer, cosignSays, publish, weSay } from './cell.ts';
import { demandOf } from './demand.ts';
import { FAULTS, type Fault } from './faults.ts';
import { nameOf, SCENARIOS, type Scenario } from './scenario.ts';
import { type SignedImage, signImage } from './signing.ts';
import type { Workbench } from './workbench.ts';

/** One scenario with one fault, and three answers about it. */
export interface Cell {
  readonly scenario: Scenario;
  readonly fault: Fault;
  /** `undefined` where this cosign can't be asked. */
  readonly cosign2: Answer | undefined;
  readonly cosign3: Answer | undefined;
  readonly ours: Answer;
}

/** A cosign process uses one processor. */
const AT_ONCE = 3;

const VICTIM_REPOSITORY = 'signed/victim';

/** Signs every scenario, bends it by every fault that applies, and asks both cosigns and us. */
export async function fillMatrix(bench: Workbench): Promise<readonly Cell[]> {
  const target = { address: bench.registry.address, repository: VICTIM_REPOSITORY };
  const victim = await pushImage(target, 'v1');
  const images = await mapParallel([...SCENARIOS.entries()], AT_ONCE, ([number, scenario]) =>
    signImage(bench, scenario, number),
  );
  const strangersBundle = images.find(
    ({ content, scenario }) => isKeylessBundle(scenario) && content.format === 'bundle',
  );
  if (strangersBundle === undefined) throw new Error('expected a bundle among the scenarios');
  const pairs = images.flatMap((image) =>
    FAULTS.filter(({ applies }) => applies(image.scenario)).map((fault) => ({ image, fault })),
  );
  const cells = await mapParallel([...pairs.entries()], AT_ONCE, ([number, { image, fault }]) =>
    fillCell(bench, `cell/n${number}`, image, fault, {
      victim,
      stranger: strangerOf(image, images),
      strangersBundle: strangersBundle.content,
    }),
  );
  return cells.filter((cell) => cell !== undefined);
}

interface Others {
  readonly victim: Digest;
  readonly stranger: SignedImage | undefined;
  readonly strangersBundle: SignatureContent;
}

async function fillCell(
  bench: Workbench,
  repository: string,
  { scenario, repository: signedAt, digest: image, content }: SignedImage,
  fault: Fault,
  { victim, stranger, strangersBundle }: Others,
): Promise<Cell | undefined> {
  const around = { sigstore: bench.served.sigstore, image, victim, stranger: stranger?.content, strangersBundle };
  const bent = fault.bend === undefined ? content : fault.bend(content, around);
  if (bent === undefined) return undefined;
  const [digest, from] = fault.isMoved === true ? [victim, VICTIM_REPOSITORY] : [image, signedAt];
  await publish(bench, { repository, digest, from }, bent);
  if (fault.beside !== undefined) await publish(bench, { repository, digest, from }, fault.beside(around));
  const demand = fault.ask?.(demandOf(scenario), scenario) ?? demandOf(scenario);
  const home = fault.isElsewhere === true ? repository : signedAt;
  const published = { repository, digest, signedAt: home, format: scenario.format, demand };
  return {
    scenario,
    fault,
    cosign2: isAskedOfBoth(scenario, fault) ? await cosignSays(bench, 2, published) : undefined,
    cosign3: await cosignSays(bench, 3, published),
    ours: await weSay(bench, published),
  };
}

/** cosign 2 is asked about what is good, and about its own work: the rest is cosign 3's form and cosign 3's work. */
function isAskedOfBoth({ writer }: Scenario, { isHarmless }: Fault): boolean {
  return writer === 2 || isHarmless === true;
}

function isKeylessBundle({ format, kind, signer, log }: Scenario): boolean {
  return format === 'bundle' && kind === 'attestation' && signer === 'keyless' && log === 'v1';
}

/** Evidence of the same form by somebody else, with the same kinds of witness. */
function strangerOf({ scenario }: SignedImage, images: readonly SignedImage[]): SignedImage | undefined {
  const isLike = ({ scenario: other }: SignedImage) =>
    other.format === scenario.format &&
    other.kind === scenario.kind &&
    other.log === scenario.log &&
    other.timestamps === scenario.timestamps &&
    nameOf(other) !== nameOf(scenario);
  return images.find(isLike);
}
