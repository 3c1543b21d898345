import { type ImageName, parseName } from '../name.ts';

/** A pattern over image names, as a ClusterImagePolicy writes it. Made only by {@link parseGlob}. */
export type Glob = string & { readonly __glob: unique symbol };

/** Longer than any image name; keeps one match below a quarter of a million steps. */
export const MAX_GLOB_LENGTH = 512;

const ALLOWED = /^[a-zA-Z0-9_:/*.-]+$/;
const DOCKER_HUB_SPELLINGS = ['docker.io', 'index.docker.io'] as const;

/**
 * Parses a glob as policy-controller `pkg/apis/glob/glob.go` does: `**` is anything, `*` anything but `/`, the whole
 * name has to match, `*` alone means `index.docker.io/library/*` and two stars around one slash mean the same of all
 * Docker Hub. Answers `undefined` for other characters, nothing at all, or more than {@link MAX_GLOB_LENGTH}.
 */
export function parseGlob(text: string): Glob | undefined {
  // The cast is the proof: a Glob exists only behind this test.
  return text.length <= MAX_GLOB_LENGTH && ALLOWED.test(text) ? (text as Glob) : undefined;
}

/** One literal character each, `*` or `**`. */
function stepsOf(glob: Glob): readonly string[] {
  return expand(glob).match(/\*\*|./g) ?? [];
}

function expand(text: string): string {
  if (text === '*') return 'index.docker.io/library/*';
  if (text === '*/*') return 'index.docker.io/*/*';
  return text;
}

/**
 * Tells whether a glob matches an image name. The name is tried with `:latest` where it has no tag, then as it was
 * given; names of Docker Hub in both spellings, because containerd says `docker.io` and policies `index.docker.io`.
 * A digest in the name is left out. A name outside the grammar matches nothing.
 */
export function globMatches(glob: Glob, name: string): boolean {
  const parsed = parseName(name);
  if (parsed === undefined) return false;
  const steps = stepsOf(glob);
  return spellings(name, parsed).some((spelling) => walk(steps, spelling));
}

function spellings(given: string, name: ImageName): readonly string[] {
  const registries = name.registry === 'docker.io' ? DOCKER_HUB_SPELLINGS : [name.registry];
  const full = registries.map((registry) => `${registry}/${name.repository}`);
  const asGiven = given.split('@', 1)[0] ?? given;
  const untagged = name.tag === undefined ? full : [];
  return [...full.map((path) => `${path}:${name.tag ?? 'latest'}`), ...untagged, asGiven];
}

/** Follows all ways through the pattern at once: at most steps x characters, whatever the pattern. */
function walk(steps: readonly string[], text: string): boolean {
  let reached = skipStars(steps, new Set([0]));
  for (const character of text) {
    const next = new Set<number>();
    for (const at of reached) {
      const step = steps[at];
      if (step === '**' || (step === '*' && character !== '/')) next.add(at);
      else if (step !== '*' && step === character) next.add(at + 1);
    }
    reached = skipStars(steps, next);
  }
  return reached.has(steps.length);
}

/** A star may stand for nothing, so the place after it is reached as well. */
function skipStars(steps: readonly string[], reached: Set<number>): Set<number> {
  // A Set that grows while it is walked is walked to its new end.
  for (const at of reached) if (steps[at] === '*' || steps[at] === '**') reached.add(at + 1);
  return reached;
}
