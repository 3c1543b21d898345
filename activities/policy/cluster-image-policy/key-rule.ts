import type { KeyFreshness } from '../../kms/checked/managed-keys.ts';
import { parseKeyUri } from '../../kms/key-uri.ts';
import type { HashAlgorithm } from '../../sigstore/key/key.ts';
import { type Field, readMapping, readText, readWord, reject } from '../../yaml/field.ts';
import { FIELD_TABLES } from '../../yaml/field-tables.ts';
import { type Material, readMaterial } from '../material.ts';
import type { ManagedSigner } from '../policy-set.ts';

/** `spec.authorities[].key`: not parsed, and not read yet where it is in a file. */
export interface KeyDocument {
  readonly kind: 'key';
  readonly key: Material;
  readonly hashAlgorithm: HashAlgorithm | undefined;
}

const HASH_ALGORITHMS = ['sha256', 'sha384', 'sha512'] as const satisfies readonly HashAlgorithm[];

/** Reads the key of an authority. */
export function readKeyRule(field: Field): KeyDocument | ManagedSigner | undefined {
  const fields = readMapping(field, FIELD_TABLES['spec.authorities[].key']);
  if (fields === undefined) return undefined;
  const hash = fields.get('hashAlgorithm');
  const hashAlgorithm = hash && readWord(hash, HASH_ALGORITHMS, 'sign with sha256');
  const kms = fields.get('kms');
  if (kms !== undefined) return readManagedKey(field, fields, kms, hashAlgorithm);
  if (fields.has('data') === fields.has('secretRef')) {
    const found = fields.has('data')
      ? 'data and secretRef; remove one'
      : 'none of them; write the public key into data';
    return reject(field, `expected one of data, secretRef and kms, found ${found}`);
  }
  const key = readMaterial(field, fields, FIELD_TABLES['spec.authorities[].key.secretRef'], 'pub', 'public key');
  return key === undefined ? undefined : { kind: 'key', key, hashAlgorithm };
}

function readManagedKey(
  key: Field,
  fields: ReadonlyMap<string, Field>,
  kms: Field,
  hashAlgorithm: HashAlgorithm | undefined,
): ManagedSigner | undefined {
  if (fields.has('data') || fields.has('secretRef')) {
    return reject(key, 'expected one of data, secretRef and kms, found kms beside another; remove one');
  }
  const text = readText(kms);
  const parsed = text === undefined ? undefined : parseKeyUri(text);
  if (parsed === undefined) return undefined;
  if (!parsed.ok) return reject(kms, `the key is not usable: ${parsed.problem}`);
  const { reference } = parsed;
  return { kind: 'kms', reference, hashAlgorithm, freshness: DEFAULT_FRESHNESS, verification: 'local' };
}

/** Of a policy that says nothing: a disabled key stops opening the gate within minutes, and an outage opens nothing. */
const DEFAULT_FRESHNESS: KeyFreshness = { maxAgeMs: 5 * 60_000, staleMs: 0 };
