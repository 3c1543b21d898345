import { type Field, type FieldTable, readMapping, readObjectName, readText, reject, required } from '../yaml/field.ts';
import { FIELD_TABLES } from '../yaml/field-tables.ts';
import { quote } from '../yaml/problem.ts';

/** The name of a document and where it stands, for problems that show only beside other documents. */
export interface DocumentName {
  readonly name: string;
  readonly nameField: Field;
}

/** Checks that a document is of one of these versions; its kind is known. */
export function hasVersion(document: Field, fields: ReadonlyMap<string, Field>, versions: readonly string[]): boolean {
  const field = required(document, fields, 'apiVersion', `write ${versions[0]}`);
  const version = field && readText(field);
  if (field === undefined || version === undefined) return false;
  if (versions.includes(version)) return true;
  reject(field, `expected ${versions.join(' or ')}, found ${quote(version)}; write the document in that form`);
  return false;
}

/** Of the kinds of documents that are ours. */
export const OWN_VERSIONS: readonly string[] = ['portcullis.dev/v1alpha1'];

/** A document of ours that has nothing but a name and a spec. */
export interface NamedSpec {
  readonly name: DocumentName | undefined;
  readonly spec: Field;
  readonly fields: ReadonlyMap<string, Field>;
}

/** Reads such a document up to the fields of its spec; `undefined` when it has no spec to read. */
export function readNamedSpec(
  document: Field,
  tables: { readonly '': FieldTable; readonly spec: FieldTable },
  fix: string,
): NamedSpec | undefined {
  const inside = readMapping(document, tables['']);
  if (inside === undefined || !hasVersion(document, inside, OWN_VERSIONS)) return undefined;
  const name = readMetadata(document, inside);
  const spec = required(document, inside, 'spec', fix);
  const fields = spec && readMapping(spec, tables.spec);
  return spec === undefined || fields === undefined ? undefined : { name, spec, fields };
}

/** Reads `metadata.name` of a document. */
export function readMetadata(document: Field, fields: ReadonlyMap<string, Field>): DocumentName | undefined {
  const metadata = required(document, fields, 'metadata', 'add metadata.name');
  const inside = metadata && readMapping(metadata, FIELD_TABLES.metadata);
  const nameField = metadata && inside && required(metadata, inside, 'name', 'give it a name');
  const name = nameField && readObjectName(nameField);
  return name === undefined || nameField === undefined ? undefined : { name, nameField };
}
