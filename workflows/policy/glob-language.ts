import { canonicalRegistry } from '../format/registry-host.ts';
import { type Glob, parseGlob, type Steps, stepsOf, writtenOut } from './glob.ts';

/** Where a reader of a canonical name is; `hub` is Docker Hub, where a repository has two components at least. */
type Place = 'start' | 'host' | `${'' | 'hub-'}${'component' | 'word' | 'separator'}` | 'colon' | 'tag';

/** Which kinds of characters lead from a place to which other one; a letter stands for its kind. */
const NEXT: Readonly<Record<Place, Readonly<Record<string, Place>>>> = {
  start: { a: 'host', '[': 'host' },
  host: { a: 'host', '.': 'host', '-': 'host', ':': 'host', ']': 'host', '/': 'component' },
  component: { a: 'word' },
  word: { a: 'word', '.': 'separator', _: 'separator', '-': 'separator', '/': 'component', ':': 'colon' },
  separator: { a: 'word', '.': 'separator', _: 'separator', '-': 'separator' },
  'hub-component': { a: 'hub-word' },
  'hub-word': { a: 'hub-word', '.': 'hub-separator', _: 'hub-separator', '-': 'hub-separator', '/': 'component' },
  'hub-separator': { a: 'hub-word', '.': 'hub-separator', _: 'hub-separator', '-': 'hub-separator' },
  colon: { a: 'tag', A: 'tag', _: 'tag' },
  tag: { a: 'tag', A: 'tag', _: 'tag', '.': 'tag', '-': 'tag' },
};

/** A star stands for any character of these kinds; more of one kind would lead nowhere else. */
const KINDS = ['a', 'A', '_', '.', '-', ':', '/', '[', ']'] as const;

/**
 * Tells whether any image name could match a glob. Of globs with a star in the host, some that no name can match are
 * taken for possible, never the other way round.
 */
export function canMatch(glob: Glob): boolean {
  const [first = '', ...rest] = writtenOut(glob).split('/');
  if (rest.length === 0 || first.includes('*')) return shareName([stepsOf(glob)], 'start');
  const isHub = first === 'index.docker.io' || first === 'docker.io';
  if (!isHub && canonicalRegistry(first) !== first) return false;
  return shareName([stepsOf(glob).slice(first.length + 1)], isHub ? 'hub-component' : 'component');
}

/** Tells whether a name without a tag could be matched by the part of one glob before its tag, and by another one. */
export function shareRepository(repository: Glob, other: Glob): boolean {
  return shareName([spelt(repository), spelt(other)], 'start', ['word']);
}

function spelt(glob: Glob): Steps {
  return (
    stepsOf(glob)
      .join('')
      .replace(/^index\.docker\.io\//, 'docker.io/')
      .match(/\*\*|./g) ?? []
  );
}

/** How far each pattern is, and where the reader of the name is. */
interface Position {
  readonly at: readonly number[];
  readonly place: Place;
}

/** Looks for a name that all patterns match, through all pairs of places that can be reached. */
function shareName(patterns: readonly Steps[], start: Place, ends: readonly Place[] = ['word', 'tag']): boolean {
  const known = new Map<string, Position>();
  const reach = (position: Position) => known.set(`${position.at.join(' ')} ${position.place}`, position);
  reach({ at: patterns.map(() => 0), place: start });
  // A Map that grows while it is walked is walked to its new end.
  for (const [, position] of known) {
    if (ends.includes(position.place) && position.at.every((at, i) => at === patterns[i]?.length)) return true;
    for (const next of nextOf(patterns, position)) reach(next);
  }
  return false;
}

function nextOf(patterns: readonly Steps[], { at, place }: Position): readonly Position[] {
  const steps = patterns.map((pattern, i) => pattern[at[i] ?? 0]);
  const skipped = steps.flatMap((step, i) => (isStar(step) ? [{ at: at.with(i, (at[i] ?? 0) + 1), place }] : []));
  const literal = steps.find((step) => step !== undefined && !isStar(step));
  const read = (literal === undefined ? KINDS : [literal]).flatMap((character) => {
    const to = NEXT[place][kindOf(character)];
    const moved = steps.map((step, i) => {
      if (step === '**' || (step === '*' && character !== '/')) return at[i] ?? 0;
      return step === character ? (at[i] ?? 0) + 1 : undefined;
    });
    const all = moved.filter((one) => one !== undefined);
    return to === undefined || all.length < patterns.length ? [] : [{ at: all, place: to }];
  });
  return [...skipped, ...read];
}

function isStar(step: string | undefined): boolean {
  return step === '*' || step === '**';
}

function kindOf(character: string): string {
  if (/[a-z0-9]/.test(character)) return 'a';
  return /[A-Z]/.test(character) ? 'A' : character;
}

/** The spelling of a glob that could match, where one can be told. */
export function canonicalGlob(glob: Glob): Glob | undefined {
  const [first = '', ...rest] = writtenOut(glob).split('/');
  const registry = first.includes('*') ? first.toLowerCase() : canonicalRegistry(first);
  if (registry === undefined || rest.length === 0) return undefined;
  const [path, tag] = splitTag(rest.filter((part) => part !== '').join('/'));
  const isOfficial = registry === 'docker.io' && !path.includes('/') && !path.includes('**');
  const respelt = parseGlob(`${registry}/${isOfficial ? 'library/' : ''}${path.toLowerCase()}${tag}`);
  return respelt !== undefined && canMatch(respelt) ? respelt : undefined;
}

function splitTag(path: string): readonly [string, string] {
  const colon = path.lastIndexOf(':');
  return colon <= path.lastIndexOf('/') ? [path, ''] : [path.slice(0, colon), path.slice(colon)];
}
