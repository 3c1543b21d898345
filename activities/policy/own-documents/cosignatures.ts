import { MAX_DEMANDED, MAX_WITNESSES } from '../../limits.ts';
import { parsePublicKey } from '../../sigstore/key/key.ts';
import type { Witness } from '../../sigstore/requirement/witness.ts';
import { type Field, readCount, readList, readMapping, readText, reject, required } from '../../yaml/field.ts';
import { REQUIREMENT_TABLES } from '../../yaml/field-tables.ts';
import { quote } from '../../yaml/problem.ts';

/** Witnesses of which some have to have co-signed a checkpoint. */
export interface Cosignatures {
  readonly field: Field;
  readonly count: number;
  readonly witnesses: readonly Witness[];
}

/** A name as it stands in a signature line (C2SP signed-note): no white space and no plus sign. */
const WITNESS_NAME = /^[!-*,-~]{1,253}$/;

/** Reads how many witnesses are wanted and who they are; two with one name or one key would count twice. */
export function readCosignatures(field: Field): Cosignatures | undefined {
  const fields = readMapping(field, REQUIREMENT_TABLES['spec.transparencyLog.cosignatures']);
  if (fields === undefined) return undefined;
  const countField = required(field, fields, 'count', 'say how many');
  const count = countField && readCount(countField, 1, MAX_DEMANDED);
  const list = required(field, fields, 'witnesses', 'name them with their keys');
  const witnesses = list && readList(list, MAX_WITNESSES)?.map(readWitness);
  if (countField === undefined || count === undefined || list === undefined || witnesses === undefined)
    return undefined;
  const known = witnesses.filter((one) => one !== undefined);
  const twice = known.some((one, i) =>
    known.slice(0, i).some((other) => other.name === one.name || other.publicKey.equals(one.publicKey)),
  );
  if (twice) return reject(list, 'expected different witnesses, found one name or key twice; remove one');
  if (count > witnesses.length) {
    return reject(countField, `expected at most ${witnesses.length}, as many as witnesses, found ${count}; add some`);
  }
  return { field, count, witnesses: known };
}

function readWitness(field: Field): Witness | undefined {
  const fields = readMapping(field, REQUIREMENT_TABLES['spec.transparencyLog.cosignatures.witnesses[]']);
  if (fields === undefined) return undefined;
  const nameField = required(field, fields, 'name', 'write the name of its signature lines');
  const name = nameField && readText(nameField);
  const keyField = required(field, fields, 'publicKey', 'paste its Ed25519 key as PEM');
  const pem = keyField && readText(keyField);
  if (nameField === undefined || name === undefined || keyField === undefined || pem === undefined) return undefined;
  if (!WITNESS_NAME.test(name)) {
    return reject(nameField, `expected a name without spaces and +, found ${quote(name)}; correct it`);
  }
  const parsed = parsePublicKey(pem);
  if (!parsed.ok)
    return reject(keyField, `expected an Ed25519 key, found one not usable: ${parsed.problem}; correct it`);
  const { publicKey } = parsed.key;
  if (publicKey.asymmetricKeyType === 'ed25519') return { name, publicKey };
  return reject(keyField, `expected an Ed25519 key, found ${parsed.key.algorithm}; paste the key of the witness`);
}
