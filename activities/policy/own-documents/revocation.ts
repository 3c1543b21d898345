import { type Digest, parseDigest } from '../../../workflows/format/digest.ts';
import { parseName, repositoryOf } from '../../../workflows/format/name.ts';
import { mergeRevocations, NO_REVOCATIONS, type Revocations } from '../../../workflows/revocations.ts';
import { MAX_REVOKED } from '../../../workflows/verdict/policy-head.ts';
import { type Field, isEmptyList, readCount, readList, readText, reject, required } from '../../yaml/field.ts';
import { REVOCATION_TABLES } from '../../yaml/field-tables.ts';
import { quote } from '../../yaml/problem.ts';
import { type DocumentName, readNamedSpec } from '../metadata.ts';

/** Digests that no node may let in any more, whoever signed them. */
export interface RevocationDocument extends DocumentName {
  /** Only raised by its author: a digest that a higher revision leaves out may be used again. */
  readonly revision: number;
  readonly digests: readonly Digest[];
  /** Where some of them can be read, of entries that are a name with a digest. */
  readonly names: readonly string[];
}

/** One entry of a list. */
interface Entry {
  readonly digest: Digest;
  readonly name?: string;
}

/** Reads one document as a Revocation, as `readClusterImagePolicy` reads a policy. */
export function readRevocation(document: Field): RevocationDocument | undefined {
  const read = readNamedSpec(document, REVOCATION_TABLES, 'add spec.digests');
  if (read === undefined) return undefined;
  const { name, spec, fields } = read;
  const list = required(spec, fields, 'digests', 'add a list of digests');
  const written = fields.get('revision');
  const revision = written === undefined ? 0 : readCount(written, 0, Number.MAX_SAFE_INTEGER);
  const entries = list && readEntries(list, revision);
  if (name === undefined || entries === undefined || revision === undefined) return undefined;
  const names = entries.flatMap((entry) => entry.name ?? []);
  return { ...name, revision, digests: entries.map(({ digest }) => digest), names };
}

/** Without digests a list says that what it revoked before is not revoked any more, which takes a higher revision. */
function readEntries(list: Field, revision: number | undefined): readonly Entry[] | undefined {
  if (isEmptyList(list) && revision !== undefined && revision > 0) return [];
  return readList(list, MAX_REVOKED)
    ?.map(readEntry)
    .filter((entry) => entry !== undefined);
}

function readEntry(field: Field): Entry | undefined {
  const text = readText(field);
  if (text === undefined) return undefined;
  const digest = parseDigest(text);
  if (digest !== undefined) return { digest };
  const name = text.includes('@') ? parseName(text) : undefined;
  if (name?.digest !== undefined) return { digest: name.digest, name: repositoryOf(name) };
  const expected = `expected sha256: and 64 lower-case hex digits, found ${quote(text)}`;
  return reject(field, `${expected}; correct it, or write an image name with such a digest`);
}

/**
 * The lists of all documents of a directory. More digests than a statement can carry are reported at the document
 * with which they are too many.
 */
export function revocationLists(documents: readonly RevocationDocument[]): Revocations {
  let count = 0;
  for (const { digests, nameField } of documents) {
    count += new Set(digests).size;
    if (count <= MAX_REVOKED) continue;
    reject(
      nameField,
      `expected at most ${MAX_REVOKED} revoked digests in all, found more; remove those that no registry has any more`,
    );
    break;
  }
  const lists = documents.map(({ name, revision, digests }) => ({ name, revision, digests }));
  return mergeRevocations(NO_REVOCATIONS, lists) ?? NO_REVOCATIONS;
}
