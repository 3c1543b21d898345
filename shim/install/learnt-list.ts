import { createHash } from 'node:crypto';
import { learn } from '../bootstrap/learn.ts';
import { type ChosenDigest, describeAmbiguity, renderProposal } from '../bootstrap/proposal.ts';
import type { BootstrapListFile } from './node-files.ts';

/** What a person says about a list that is proposed from the node. */
export interface LearntListOptions {
  /** Other images that have to start without a backend. */
  readonly images: readonly string[];
  /** The digests that are meant of names with several. */
  readonly chosen: readonly ChosenDigest[];
  /** The fingerprint of the list that was shown and read; `undefined` before it was shown. */
  readonly read: string | undefined;
}

/** Where containerd answers, and the sandbox image that its configuration names. */
export interface LearntFrom {
  readonly socket: string;
  readonly sandbox: string | undefined;
}

/** Name of a proposed list in the daemon's folder. */
const NAME = 'node.list';

/**
 * Proposes a bootstrap list, with what keeps it from being written: a name with several digests, or a list that no person has
 * read. Throws when an image that is wanted is not on the node, and when containerd can't be asked.
 */
export async function learntList(from: LearntFrom, options: LearntListOptions): Promise<BootstrapListFile> {
  const { images, chosen, read } = options;
  const proposal = await learn({ ...from, images, chosen, manifests: [], all: false });
  const [missing] = proposal.missing;
  if (missing !== undefined) throw new Error(`not on this node under a digest: ${missing}; pull it first`);
  const text = renderProposal(proposal);
  const ambiguous = proposal.ambiguous.map(describeAmbiguity);
  const unread = ambiguous.length === 0 && read !== fingerprintOf(text) ? [askToRead(text, read)] : [];
  return { name: NAME, text, isLearnt: true, refusals: [...ambiguous, ...unread] };
}

/** Tells two lists apart; short enough to be typed. */
export function fingerprintOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function askToRead(text: string, read: string | undefined): string {
  const why = read === undefined ? 'was proposed and not read yet' : 'is not the one that was read';
  return `the bootstrap list above ${why}: each line is trusted without a signature; read it, then run the command again with --learnt ${fingerprintOf(text)}`;
}
