import { type Digest, parseDigest } from '../../workflows/digest.ts';
import type { CriImage } from '../containerd/cri.ts';

/** A line that is proposed for the list. */
export interface ProposedDigest {
  readonly digest: Digest;
  readonly name: string;
  /** Why: for people, one line. */
  readonly why: string;
}

export interface Proposal {
  readonly digests: readonly ProposedDigest[];
  /** Images that are wanted and not on this node under a digest. */
  readonly missing: readonly string[];
}

/** Something that a node starts with, and who says so. */
export interface WantedImage {
  readonly name: string;
  readonly from: string;
}

/**
 * Proposes the digests by which the wanted images came to this node. `all` takes every image that is there: what it trusts
 * is that nothing wrong was on the node before.
 */
export function propose(onNode: readonly CriImage[], wanted: readonly WantedImage[], all: boolean): Proposal {
  const digests = new Map<Digest, ProposedDigest>();
  const missing: string[] = [];
  const take = (image: CriImage, name: string, why: string) => {
    for (const digest of digestsOf(image)) if (!digests.has(digest)) digests.set(digest, { digest, name, why });
  };
  for (const { name, from } of wanted) {
    const found = onNode.filter((image) => namesOf(image).has(spelt(name)));
    if (found.length === 0) missing.push(`${name} (${from})`);
    for (const image of found) take(image, name, from);
  }
  for (const image of onNode) {
    const name = image.repoTags[0] ?? image.repoDigests[0] ?? image.id;
    if (/\/pause[:@]/.test(name)) take(image, name, 'the sandbox of every pod');
    else if (all) take(image, name, 'on the node when this list was made');
  }
  return { digests: [...digests.values()], missing };
}

function namesOf({ repoTags, repoDigests }: CriImage): ReadonlySet<string> {
  return new Set([...repoTags, ...repoDigests].map(spelt));
}

/**
 * As containerd spells it (github.com/distribution/reference `ParseDockerRef`): docker.io and library/ where no registry is
 * named, `latest` where no tag is, and no tag beside a digest.
 */
function spelt(text: string): string {
  const [name = '', digest] = text.split('@');
  const [first = '', ...rest] = name.split('/');
  const hasRegistry = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  const whole = hasRegistry ? name : `docker.io/${rest.length === 0 ? 'library/' : ''}${name}`;
  const untagged = whole.replace(/:[^/:]+$/, '');
  if (digest !== undefined) return `${untagged}@${digest}`;
  return untagged === whole ? `${whole}:latest` : whole;
}

function digestsOf({ repoDigests }: CriImage): readonly Digest[] {
  return repoDigests.flatMap((reference) => parseDigest(reference.split('@')[1] ?? '') ?? []);
}

/** The list as a file: what people have to know about it first. */
export function renderProposal({ digests }: Proposal): string {
  const lines = digests.map(({ digest, name, why }) => `${digest}  ${name}  # ${why.replaceAll('#', '')}`);
  return [
    '# Digests that this node lets in without asking anybody, proposed by "portcullis bootstrap learn".',
    '# Read every line: what stands here is trusted for what it was when the list was made.',
    ...lines,
    '',
  ].join('\n');
}
