import { type ImageName, parseName, repositoryOf } from '../format/name.ts';
import { canonicalRegistry, isRegistry } from '../format/registry-host.ts';

/** A pattern over image names, as a ClusterImagePolicy writes it. Made only by {@link parseGlob}. */
export type Glob = string & { readonly __glob: unique symbol };

/** Longer than any image name; keeps one match below a quarter of a million steps. */
export const MAX_GLOB_LENGTH = 512;

const ALLOWED = /^[a-zA-Z0-9_:/*.-]*$/;
const IPV6_LITERAL = /^\[[0-9a-fA-F:.]+\](?=[:/])/;
const DOCKER_HUB_SPELLINGS = ['docker.io', 'index.docker.io'] as const;

/**
 * Parses a glob as policy-controller `pkg/apis/glob/glob.go` does: `**` is anything, `*` anything but `/`, the whole
 * name has to match. A glob may begin with an IPv6 address in brackets. Answers `undefined` for other characters,
 * nothing at all, or more than {@link MAX_GLOB_LENGTH}.
 */
export function parseGlob(text: string): Glob | undefined {
  const [literal = ''] = IPV6_LITERAL.exec(text) ?? [];
  const isAddress = literal === '' || canonicalRegistry(literal) !== undefined;
  const fits = text.length > 0 && text.length <= MAX_GLOB_LENGTH;
  // The cast is the proof: a Glob exists only behind this test.
  return fits && isAddress && ALLOWED.test(text.slice(literal.length)) ? (text as Glob) : undefined;
}

/** One literal character each, `*` or `**`. */
export type Steps = readonly string[];

export function stepsOf(glob: Glob): Steps {
  return writtenOut(glob).match(/\*\*|./g) ?? [];
}

/**
 * A glob with the registry that it leaves out: what a name would have of Docker Hub, a glob has too. `*` alone is
 * `index.docker.io/library/*` and two stars around one slash are all of Docker Hub, as in policy-controller; a glob that
 * begins with a star is otherwise taken as it is, and so is one without a slash that holds `**`.
 */
export function writtenOut(glob: string): string {
  if (glob === '*/*') return 'index.docker.io/*/*';
  const [first = '', ...rest] = glob.split('/');
  if (rest.length === 0) return glob.includes('**') ? glob : `index.docker.io/library/${glob}`;
  return isRegistry(first) || first.includes('*') ? glob : `index.docker.io/${glob}`;
}

/**
 * Tells whether a glob matches a name as it is, its digest left out. A name without a tag has none, so that a glob which
 * names tags does not match it, unless the glob covers every tag. A text outside the grammar of names matches nothing.
 */
export function globMatches(glob: Glob, given: ImageName | string): boolean {
  const name = typeof given === 'string' ? parseName(given) : given;
  if (name === undefined) return false;
  const near = spellings(name).filter((spelling) => beginsAlike(glob, spelling));
  const steps = near.length === 0 ? [] : stepsOf(glob);
  return near.some((spelling) => {
    if (walk(steps, spelling).has(steps.length)) return true;
    return name.tag === undefined && tagsBehind(steps, spelling).some(isEveryTag);
  });
}

/** Tells whether a glob would match a name that has no tag if it had one. */
export function globMatchesTagged(glob: Glob, name: ImageName): boolean {
  const near = name.tag === undefined ? spellings(name).filter((spelling) => beginsAlike(glob, spelling)) : [];
  const steps = near.length === 0 ? [] : stepsOf(glob);
  return near.some((spelling) => tagsBehind(steps, spelling).some(isSomeTag));
}

/** What a glob has before its first star decides about nearly all of them, without a walk. A tag may follow the name. */
function beginsAlike(glob: Glob, spelling: string): boolean {
  const [literal = ''] = writtenOut(glob).split('*', 1);
  return spelling.startsWith(literal) || literal.startsWith(spelling);
}

/** Docker Hub in both spellings, because containerd says `docker.io` and policies `index.docker.io`. */
function spellings(name: ImageName): readonly string[] {
  const registries = name.registry === 'docker.io' ? DOCKER_HUB_SPELLINGS : [name.registry];
  const tag = name.tag === undefined ? '' : `:${name.tag}`;
  return registries.map((registry) => `${repositoryOf({ ...name, registry })}${tag}`);
}

/** What is left of a pattern for the tag, in each way in which it can cover a repository and the colon behind it. */
function tagsBehind(steps: Steps, repository: string): readonly Steps[] {
  return [...walk(steps, `${repository}:`)].map((at) => steps.slice(at));
}

function isEveryTag(rest: Steps): boolean {
  return rest.length > 0 && rest.every(isStar);
}

function isSomeTag(rest: Steps): boolean {
  return rest.length > 0 && !rest.includes('/') && !rest.includes(':');
}

function isStar(step: string): boolean {
  return step === '*' || step === '**';
}

/** Follows all ways through the pattern at once, and answers how far they get: at most steps x characters, whatever the pattern. */
function walk(steps: Steps, text: string): ReadonlySet<number> {
  let reached = skipStars(steps, new Set([0]));
  for (const character of text) {
    if (reached.size === 0) break;
    const next = new Set<number>();
    for (const at of reached) {
      const step = steps[at];
      if (step === '**' || (step === '*' && character !== '/')) next.add(at);
      else if (step !== '*' && step === character) next.add(at + 1);
    }
    reached = skipStars(steps, next);
  }
  return reached;
}

/** A star may stand for nothing, so the place after it is reached as well. */
function skipStars(steps: Steps, reached: Set<number>): Set<number> {
  // A Set that grows while it is walked is walked to its new end.
  for (const at of reached) {
    const step = steps[at];
    if (step !== undefined && isStar(step)) reached.add(at + 1);
  }
  return reached;
}
