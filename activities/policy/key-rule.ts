import type { HashAlgorithm } from '../sigstore/key.ts';
import { type Field, readMapping, readWord } from './field.ts';
import { FIELD_TABLES } from './field-tables.ts';
import { type Material, readMaterial } from './material.ts';

/** `spec.authorities[].key`: not parsed, and not read yet where it is in a file. */
export interface KeyDocument {
  readonly kind: 'key';
  readonly key: Material;
  readonly hashAlgorithm: HashAlgorithm | undefined;
}

const HASH_ALGORITHMS = ['sha256', 'sha384', 'sha512'] as const satisfies readonly HashAlgorithm[];

/** Reads the key of an authority. */
export function readKeyRule(field: Field): KeyDocument | undefined {
  const fields = readMapping(field, FIELD_TABLES['spec.authorities[].key']);
  if (fields === undefined) return undefined;
  const hash = fields.get('hashAlgorithm');
  const hashAlgorithm = hash && readWord(hash, HASH_ALGORITHMS, 'sign with sha256');
  const key = readMaterial(field, fields, FIELD_TABLES['spec.authorities[].key.secretRef'], 'pub', 'public key');
  return key === undefined ? undefined : { kind: 'key', key, hashAlgorithm };
}
