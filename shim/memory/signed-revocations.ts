import type { Digest } from '../../workflows/format/digest.ts';
import {
  addsRevocations,
  countDigests,
  mergeRevocations,
  NO_REVOCATIONS,
  type RevocationList,
  type Revocations,
} from '../../workflows/revocations.ts';

/** What one verdict key stated about revocations, merged over all of its statements. */
export interface SignerRevocations {
  /** Hex SHA-256 of the key. */
  readonly keyId: string;
  readonly revocations: Revocations;
}

/** What a node keeps of all keys together: it has to fit the file of its state. */
const MAX_KEPT_DIGESTS = 20_000;
const MAX_KEPT_LISTS = 4_000;
export const MAX_KEPT_SIGNERS = 100;

/** The share of one key: three times what one statement can say, so that a stolen key leaves room for the others. */
const MAX_DIGESTS_OF_SIGNER = 5_000;

/** Whether that is as much as a node keeps. */
export function fitsNode(all: readonly SignerRevocations[]): boolean {
  const lists = all.flatMap(({ revocations }) => revocations);
  return all.length <= MAX_KEPT_SIGNERS && lists.length <= MAX_KEPT_LISTS && countDigests(lists) <= MAX_KEPT_DIGESTS;
}

/**
 * Adds a statement. Answers the same object when it says nothing new, and `undefined` when there is no room for it. Only where room
 * is needed do the lists go of keys that are not trusted any more, and only those that the statement repeats.
 */
export function addStatement(
  all: readonly SignerRevocations[],
  keyId: string,
  stated: Revocations | undefined,
  isTrusted: (keyId: string) => boolean,
): readonly SignerRevocations[] | undefined {
  const known = all.find((one) => one.keyId === keyId)?.revocations ?? NO_REVOCATIONS;
  if (stated === undefined || !addsRevocations(known, stated)) return all;
  const merged = mergeRevocations(known, stated);
  if (merged === undefined || countDigests(merged) > MAX_DIGESTS_OF_SIGNER) return undefined;
  const others = all.filter((one) => one.keyId !== keyId);
  const own = { keyId, revocations: merged };
  if (fitsNode([...others, own])) return [...others, own];
  const fewer = others.map((one) => (isTrusted(one.keyId) ? one : withoutRepeated(one, merged)));
  const next = [...fewer.filter(({ revocations }) => revocations.length > 0), own];
  return fitsNode(next) ? next : undefined;
}

/** Without the lists that another key has stated as they are, or with more. */
function withoutRepeated({ keyId, revocations }: SignerRevocations, by: Revocations): SignerRevocations {
  const isRepeated = ({ name, revision, digests }: RevocationList) => {
    const other = by.find((one) => one.name === name);
    if (other === undefined || other.revision < revision) return false;
    const has = new Set(other.digests);
    return digests.every((digest) => has.has(digest));
  };
  return { keyId, revocations: revocations.filter((list) => !isRepeated(list)) };
}

/**
 * Every revoked digest and the name of a list that revokes it. A key that is not trusted any more can still refuse what it
 * refused before, and ends nothing: what it said of a list counts unless a trusted key has stated a higher revision of that list.
 */
export function revokedBy(
  all: readonly SignerRevocations[],
  isTrusted: (keyId: string) => boolean,
): ReadonlyMap<Digest, string> {
  const lists = new Map<string, { readonly revision: number; readonly digests: readonly Digest[] }>();
  for (const { name, revision, digests } of listsOf(all.filter(({ keyId }) => isTrusted(keyId)))) {
    const known = lists.get(name);
    if (known !== undefined && known.revision > revision) continue;
    const before = known?.revision === revision ? known.digests : [];
    lists.set(name, { revision, digests: [...before, ...digests] });
  }
  const revoked = new Map([...lists].flatMap(([name, { digests }]) => digests.map((digest) => [digest, name])));
  for (const { name, revision, digests } of listsOf(all.filter(({ keyId }) => !isTrusted(keyId)))) {
    if ((lists.get(name)?.revision ?? -1) > revision) continue;
    for (const digest of digests) revoked.set(digest, name);
  }
  return revoked;
}

function listsOf(all: readonly SignerRevocations[]): readonly RevocationList[] {
  return all.flatMap(({ revocations }) => revocations);
}
