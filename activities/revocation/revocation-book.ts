import type { Digest } from '../../workflows/format/digest.ts';
import {
  addsRevocations,
  mergeRevocations,
  NO_REVOCATIONS,
  type RevocationList,
  type Revocations,
  revokedDigests,
} from '../../workflows/revocations.ts';
import { MAX_REMEMBERED_DIGESTS, MAX_STATED_REVOCATION_BYTES } from '../limits.ts';
import type { PolicyLoad, PolicySet } from '../policy/policy-set.ts';
import type { ImageTree } from './image-tree.ts';
import type { RevocationFile } from './revocation-file.ts';

/** What a worker knows of revocations: from its policy directory as it is, from all it was before, and from registries. */
export interface RevocationBook {
  /** Every revoked digest, and what indexes that are revoked list, with the name of a list that revokes it. */
  revoked(): ReadonlyMap<Digest, string>;
  /** What a statement says: bounded, the lists of the policy directory first. */
  stated(): Revocations;
  /** Remembers what indexes list: when one of them is revoked, so is everything below it. */
  remember(tree: ImageTree): void;
  /** Revoked digests of which it is not known yet whether they list something. */
  unread(): readonly Digest[];
}

/** Reported once each: a list that lost something without a higher revision, a file that can't be written. */
export type RevocationAlarm = (message: string, fields: object) => void;

/** Opens the book of a worker. `kept` is what it knew at its last end; `undefined` for a worker without a state. */
export function openRevocationBook(
  policy: { current(): PolicyLoad },
  kept: { readonly file: RevocationFile; readonly revocations: Revocations } | undefined,
  alarm: RevocationAlarm = () => {},
): RevocationBook {
  let known = kept?.revocations ?? NO_REVOCATIONS;
  let revoked = revokedDigests(known);
  let seen: PolicySet | undefined;
  let isUnwritten = false;
  const trees = createTreeMemory();
  /** Revoked digests below which nothing is unknown. */
  const read = new Set<Digest>();

  /** Takes over what the directory says, once for each of its states. */
  function refresh(): void {
    const load = policy.current();
    if (!load.ok || load.set === seen) return;
    for (const problem of endedWithoutRevision(seen?.revocations, known, load.set.revocations)) {
      alarm('revocation', { problem });
    }
    if (seen === undefined) for (const digest of learnedBefore(known, load.set.revocations)) read.add(digest);
    seen = load.set;
    merge(load.set.revocations);
  }

  function merge(stated: Revocations): void {
    const merged = mergeRevocations(known, stated);
    if (merged === undefined) alarm('revocation', { problem: 'more is revoked than a worker keeps; former lists go' });
    const wider = withContents(merged ?? stated);
    if (!addsRevocations(known, wider)) return;
    known = wider;
    revoked = revokedDigests(known);
    keep();
  }

  /** Writes what is known; what could not be written is written again with the next statement, and reported once. */
  function keep(): void {
    const isReported = isUnwritten;
    isUnwritten = false;
    kept?.file.write(known, (problem) => {
      isUnwritten = true;
      if (!isReported) alarm('revocations could not be kept', { problem });
    });
  }

  /** The lists, and in each of them what lies below its indexes. */
  function withContents(lists: Revocations): Revocations {
    const wider = lists.map((list) => ({ ...list, digests: list.digests.flatMap(withBelow) }));
    return mergeRevocations(NO_REVOCATIONS, wider) ?? lists;
  }

  function withBelow(digest: Digest): readonly Digest[] {
    const below = trees.get(digest);
    if (below === undefined) return [digest];
    read.add(digest);
    return [digest, ...below];
  }

  return {
    revoked() {
      refresh();
      return revoked;
    },
    stated() {
      refresh();
      if (isUnwritten) keep();
      return boundedLists(known, seen?.revocations ?? NO_REVOCATIONS);
    },
    remember(tree) {
      refresh();
      trees.add(tree);
      if ([...tree.keys()].some((index) => revoked.has(index) && !read.has(index))) merge(known);
    },
    unread() {
      refresh();
      return [...revoked.keys()].filter((digest) => !read.has(digest));
    },
  };
}

/**
 * As many lists as a statement takes. A list is stated with all that its document says or not at all, because a part of a
 * higher revision would end the rest; what lies below its indexes is added while there is room.
 */
function boundedLists(known: Revocations, directory: Revocations): Revocations {
  const ownOf = ({ name, revision }: RevocationList) =>
    directory.find((list) => list.name === name && list.revision === revision);
  const current = known.filter((list) => ownOf(list) !== undefined);
  const former = known.filter((list) => ownOf(list) === undefined);
  let room = MAX_STATED_REVOCATION_BYTES - directory.reduce((sum, list) => sum + bytesOf(list), 0);
  const stated: RevocationList[] = [];
  for (const list of current) {
    const own = ownOf(list)?.digests ?? [];
    const below = list.digests.filter((digest) => !own.includes(digest));
    const added = below.slice(0, Math.max(0, Math.floor(room / DIGEST_BYTES)));
    room -= added.length * DIGEST_BYTES;
    stated.push({ ...list, digests: [...own, ...added] });
  }
  for (const list of former) {
    if (bytesOf(list) > room) continue;
    room -= bytesOf(list);
    stated.push(list);
  }
  return mergeRevocations(NO_REVOCATIONS, stated) ?? directory;
}

/** A digest in a statement, in quotes and with a comma. */
const DIGEST_BYTES = 74;

/** A list in a statement, with the names of its fields. */
function bytesOf({ name, digests }: RevocationList): number {
  return 60 + name.length + digests.length * DIGEST_BYTES;
}

/** What is kept of a list beside its document: an index of it lists that, so that it need not be looked for again. */
function learnedBefore(kept: Revocations, directory: Revocations): readonly Digest[] {
  return directory.flatMap(({ name, revision, digests }) => {
    const before = kept.find((list) => list.name === name && list.revision === revision);
    return before?.digests.filter((digest) => !digests.includes(digest)) ?? [];
  });
}

/** What was taken out of a directory and is still revoked, because its list has no higher revision. */
function endedWithoutRevision(
  before: Revocations | undefined,
  known: Revocations,
  after: Revocations,
): readonly string[] {
  return (before ?? known).flatMap(({ name, revision, digests }) => {
    const now = after.find((list) => list.name === name);
    if (now !== undefined && now.revision > revision) return [];
    // What is known from before the start has more digests than its document, where that names indexes.
    const isSame = now?.revision === revision && before === undefined;
    const missing = isSame ? [] : digests.filter((digest) => now?.digests.includes(digest) !== true);
    if (missing.length === 0) return [];
    const count = `${missing.length} digests of the Revocation "${name}"`;
    return [`${count} stay revoked; to end that, keep the document and raise spec.revision above ${revision}`];
  });
}

/** What images list, as far as was read lately, bounded by its digests. */
function createTreeMemory() {
  const trees = new Map<Digest, readonly Digest[]>();
  let held = 0;
  const drop = (index: Digest) => {
    const below = trees.get(index);
    if (below === undefined) return;
    trees.delete(index);
    held -= below.length + 1;
  };
  return {
    get: (index: Digest) => trees.get(index),
    add(tree: ImageTree) {
      for (const [index, below] of tree) {
        drop(index);
        trees.set(index, below);
        held += below.length + 1;
      }
      for (const oldest of trees.keys()) {
        if (held <= MAX_REMEMBERED_DIGESTS) break;
        drop(oldest);
      }
    },
  };
}
