import { type Digest, parseDigest } from '../../workflows/digest.ts';
import { MAX_REVOKED } from '../../workflows/policy-head.ts';
import { type Field, readList, readText, reject, required } from './field.ts';
import { REVOCATION_TABLES } from './field-tables.ts';
import { type DocumentName, readNamedSpec } from './metadata.ts';
import { quote } from './policy-problem.ts';

/** Digests that no node may let in any more, whoever signed them. */
export interface RevocationDocument extends DocumentName {
  readonly digests: readonly Digest[];
}

/** Reads one document as a Revocation, as `readClusterImagePolicy` reads a policy. */
export function readRevocation(document: Field): RevocationDocument | undefined {
  const read = readNamedSpec(document, REVOCATION_TABLES, 'add spec.digests');
  if (read === undefined) return undefined;
  const { name, spec, fields } = read;
  const list = required(spec, fields, 'digests', 'add a list of digests');
  const digests = list && readList(list, MAX_REVOKED)?.map(readDigest);
  if (name === undefined || digests === undefined) return undefined;
  return { ...name, digests: digests.filter((digest) => digest !== undefined) };
}

function readDigest(field: Field): Digest | undefined {
  const text = readText(field);
  const digest = text === undefined ? undefined : parseDigest(text);
  if (text === undefined || digest !== undefined) return digest;
  return reject(field, `expected sha256: and 64 lower-case hex digits, found ${quote(text)}; correct it`);
}

/** All revoked digests of a directory, once each; more than a statement can tell are reported at the document that is too much. */
export function revokedDigests(documents: readonly RevocationDocument[]): readonly Digest[] {
  const known = new Set<Digest>();
  for (const { digests, nameField } of documents) {
    for (const digest of digests) known.add(digest);
    if (known.size <= MAX_REVOKED) continue;
    reject(
      nameField,
      `expected at most ${MAX_REVOKED} revoked digests in all, found more; remove those that no registry has any more`,
    );
    break;
  }
  return [...known];
}
