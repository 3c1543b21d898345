import {
  type Field,
  type FieldTable,
  hasField,
  readMapping,
  readObjectName,
  readText,
  reject,
  required,
} from '../yaml/field.ts';
import { quote } from '../yaml/problem.ts';
import { type SecretKind, secretPath } from './directory.ts';

/** A public key or certificates, in the policy itself or in a file beside it. */
export interface Material {
  readonly source: { readonly kind: 'data'; readonly pem: string } | { readonly kind: 'file'; readonly path: string };
  /** The value that holds it or names it. */
  readonly field: Field;
}

/** Where policy-controller looks for secrets, whatever the reference says. */
const SECRET_NAMESPACE = 'cosign-system';

/**
 * Reads what policy-controller calls a KeyRef from fields that are read already: one of `data` and `secretRef`. `what`
 * says in sentences what belongs there.
 */
export function readMaterial(
  parent: Field,
  fields: ReadonlyMap<string, Field>,
  secretTable: FieldTable,
  kind: SecretKind,
  what: string,
): Material | undefined {
  const data = fields.get('data');
  const secretRef = fields.get('secretRef');
  // That it is in a KMS is its problem already.
  if (data === undefined && secretRef === undefined && hasField(parent, 'kms')) return undefined;
  if ((data === undefined) === (secretRef === undefined)) {
    const found = data === undefined ? 'neither' : 'both';
    return reject(parent, `expected one of data and secretRef, found ${found}; write the ${what} into data`);
  }
  if (data !== undefined) {
    const pem = readText(data);
    return pem === undefined ? undefined : { source: { kind: 'data', pem }, field: data };
  }
  const field = secretRef && readSecretRef(secretRef, secretTable, kind);
  const name = field && readObjectName(field);
  return field === undefined || name === undefined
    ? undefined
    : { source: { kind: 'file', path: secretPath(name, kind) }, field };
}

function readSecretRef(secretRef: Field, table: FieldTable, kind: SecretKind): Field | undefined {
  const fields = readMapping(secretRef, table);
  const namespace = fields?.get('namespace');
  const text = namespace && readText(namespace);
  if (namespace !== undefined && text !== undefined && text !== SECRET_NAMESPACE) {
    reject(namespace, `expected ${SECRET_NAMESPACE}, found ${quote(text)}; remove it, the file is in secrets/`);
  }
  return fields && required(secretRef, fields, 'name', `name the file in secrets/ without .${kind}`);
}
