import { type Digest, parseDigest } from '../../workflows/digest.ts';
import { MAX_REVOKED } from '../../workflows/policy-head.ts';
import { mergeRevocations, NO_REVOCATIONS, type Revocations } from '../../workflows/revocations.ts';
import { type Field, isEmptyList, readCount, readList, readText, reject, required } from './field.ts';
import { REVOCATION_TABLES } from './field-tables.ts';
import { type DocumentName, readNamedSpec } from './metadata.ts';
import { quote } from './policy-problem.ts';

/** Digests that no node may let in any more, whoever signed them. */
export interface RevocationDocument extends DocumentName {
  /** Only raised by its author: a digest that a higher revision leaves out may be used again. */
  readonly revision: number;
  readonly digests: readonly Digest[];
}

/** Reads one document as a Revocation, as `readClusterImagePolicy` reads a policy. */
export function readRevocation(document: Field): RevocationDocument | undefined {
  const read = readNamedSpec(document, REVOCATION_TABLES, 'add spec.digests');
  if (read === undefined) return undefined;
  const { name, spec, fields } = read;
  const list = required(spec, fields, 'digests', 'add a list of digests');
  const written = fields.get('revision');
  const revision = written === undefined ? 0 : readCount(written, 0, Number.MAX_SAFE_INTEGER);
  const digests = list && readDigests(list, revision);
  if (name === undefined || digests === undefined || revision === undefined) return undefined;
  return { ...name, revision, digests };
}

/** Without digests a list says that what it revoked before is not revoked any more, which takes a higher revision. */
function readDigests(list: Field, revision: number | undefined): readonly Digest[] | undefined {
  if (isEmptyList(list) && revision !== undefined && revision > 0) return [];
  return readList(list, MAX_REVOKED)
    ?.map(readDigest)
    .filter((digest) => digest !== undefined);
}

function readDigest(field: Field): Digest | undefined {
  const text = readText(field);
  const digest = text === undefined ? undefined : parseDigest(text);
  if (text === undefined || digest !== undefined) return digest;
  return reject(field, `expected sha256: and 64 lower-case hex digits, found ${quote(text)}; correct it`);
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
