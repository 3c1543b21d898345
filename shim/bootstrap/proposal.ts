import type { Digest } from '../../workflows/format/digest.ts';
import { type ImageName, nameWithoutDigest, parseName, pulledName, repositoryOf } from '../../workflows/format/name.ts';
import { plainText } from '../../workflows/format/plain-text.ts';
import type { CriImage } from '../containerd/cri.ts';

/** A line that is proposed for the list. */
export interface ProposedDigest {
  readonly digest: Digest;
  readonly name: string;
  /** Why: for people, one line. */
  readonly why: string;
}

/** A name under which the node has several digests, none of which is proposed. */
export interface AmbiguousImage {
  readonly name: string;
  readonly from: string;
  readonly digests: readonly Digest[];
}

export interface Proposal {
  readonly digests: readonly ProposedDigest[];
  /** Images that are wanted and not on this node under a digest. */
  readonly missing: readonly string[];
  /** The sandbox image, when it is not on this node: it is pulled with the first pod. */
  readonly absent: readonly string[];
  readonly ambiguous: readonly AmbiguousImage[];
}

/** Something that a node starts with, and who says so. */
export interface WantedImage {
  readonly name: string;
  readonly from: string;
  /** A node may do without it when the list is made. */
  readonly mayBeAbsent?: true;
}

/** What a person decides about a proposal. */
export interface ProposalChoice {
  /** Every image that is on the node, which trusts that nothing wrong is on it. */
  readonly all: boolean;
  /** The digests that are meant of names with several. */
  readonly chosen: readonly ChosenDigest[];
}

export interface ChosenDigest {
  /** As `repositoryOf` writes it. */
  readonly repository: string;
  readonly digest: Digest;
}

/** Parses `NAME@sha256:...`; `undefined` for anything else. */
export function parseChoice(text: string): ChosenDigest | undefined {
  const name = parseName(text);
  return name?.digest === undefined ? undefined : { repository: repositoryOf(name), digest: name.digest };
}

/**
 * Proposes the digests by which the wanted images came to this node. What a tenant pulls shares an image id with another image
 * when it has the same configuration, so of an image only the digests count whose reference has the wanted repository. The
 * node does not tell to which of several the tag belongs: a person does, and until then none is proposed.
 */
export function propose(
  onNode: readonly CriImage[],
  wanted: readonly WantedImage[],
  { all, chosen }: ProposalChoice,
): Proposal {
  const digests = new Map<Digest, ProposedDigest>();
  const missing: string[] = [];
  const absent: string[] = [];
  const ambiguous: AmbiguousImage[] = [];
  const take = (digest: Digest, name: string, why: string) => {
    if (!digests.has(digest)) digests.set(digest, { digest, name, why });
  };
  const images = onNode.map(referencesOf);
  for (const { name, from, mayBeAbsent } of wanted) {
    const parsed = parseName(name);
    const found = parsed === undefined ? [] : digestsFor(parsed, images);
    const meant = found.length > 1 ? found.filter((digest) => isChosen(parsed, digest, chosen)) : found;
    if (parsed === undefined || found.length === 0) (mayBeAbsent === true ? absent : missing).push(`${name} (${from})`);
    else if (meant.length === 0 && !all) ambiguous.push({ name: pulledName(parsed), from, digests: found });
    for (const digest of meant) if (parsed !== undefined) take(digest, pulledName(parsed), from);
  }
  for (const { canonical } of all ? images : []) {
    for (const name of canonical) take(name.digest, nameWithoutDigest(name), 'on the node when this list was made');
  }
  return { digests: [...digests.values()], missing, absent, ambiguous };
}

/** The references of one image on the node, by their canonical names; what is no name is left out. */
interface References {
  readonly tagged: readonly ImageName[];
  readonly canonical: readonly (ImageName & { readonly digest: Digest })[];
}

function referencesOf({ repoTags, repoDigests }: CriImage): References {
  return {
    tagged: repoTags.flatMap((text) => parseName(text) ?? []),
    canonical: repoDigests.flatMap((text) => {
      const name = parseName(text);
      return name?.digest === undefined ? [] : [{ ...name, digest: name.digest }];
    }),
  };
}

function digestsFor(wanted: ImageName, images: readonly References[]): readonly Digest[] {
  const { digest: named } = wanted;
  const isIt = ({ tagged }: References) =>
    named !== undefined || tagged.some((name) => pulledName(name) === pulledName(wanted));
  const found = images
    .filter(isIt)
    .flatMap(({ canonical }) => canonical)
    .filter((name) => repositoryOf(name) === repositoryOf(wanted) && (named ?? name.digest) === name.digest)
    .map(({ digest }) => digest);
  return [...new Set(found)];
}

function isChosen(name: ImageName | undefined, digest: Digest, chosen: readonly ChosenDigest[]): boolean {
  return chosen.some((one) => name !== undefined && one.repository === repositoryOf(name) && one.digest === digest);
}

/** Tells the digests of an ambiguous name, and how a person says which is meant. */
export function describeAmbiguity({ name, from, digests }: AmbiguousImage): string {
  const repository = name.replace(/:[^/:]+$/, '');
  return (
    `${name} (${from}) has ${digests.length} digests on this node: ${digests.join(', ')}; ` +
    `find out which of them is meant, then give it as --digest ${repository}@sha256:...`
  );
}

/** The list as a file: what people have to know about it first. */
export function renderProposal({ digests }: Proposal): string {
  const lines = digests.map(
    ({ digest, name, why }) => `${digest}  ${name}  # ${plainText(why).replace(/[#\s]+/g, ' ')}`,
  );
  return [
    '# Digests that this node lets in without asking anybody, proposed by "portcullis bootstrap learn".',
    '# Read every line: what stands here is trusted for what it was when the list was made.',
    ...lines,
    '',
  ].join('\n');
}
