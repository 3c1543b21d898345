import { compileCondition } from '../../attestation/condition.ts';
import { PREDICATE_TYPE_ALIASES, predicateTypesOf } from '../../attestation/predicate-type.ts';
import { type Field, readLine, readMapping, readText, reject, required } from '../../yaml/field.ts';
import { FIELD_TABLES } from '../../yaml/field-tables.ts';
import { quote } from '../../yaml/problem.ts';
import type { AttestationRule } from '../policy-set.ts';

const EXAMPLE = `predicate.buildDefinition.buildType == 'https://example.com/build'`;
const MAX_NAME_LENGTH = 253;

/** Reads one attestation that is wanted. Its condition is compiled, so that a wrong one is told before any pull. */
export function readAttestation(field: Field): AttestationRule | undefined {
  const fields = readMapping(field, FIELD_TABLES['spec.authorities[].attestations[]']);
  if (fields === undefined) return undefined;
  const nameField = required(field, fields, 'name', 'name it, for sentences');
  const name = nameField && readLine(nameField, MAX_NAME_LENGTH);
  const typeField = required(field, fields, 'predicateType', 'write for example slsaprovenance1');
  const predicateTypes = typeField && readPredicateTypes(typeField);
  const policy = fields.get('policy');
  const condition = policy && readCondition(policy);
  if (name === undefined || predicateTypes === undefined || (policy !== undefined && condition === undefined)) {
    return undefined;
  }
  return { name, predicateTypes, condition };
}

function readPredicateTypes(field: Field): readonly string[] | undefined {
  const text = readText(field);
  const types = text === undefined ? undefined : predicateTypesOf(text);
  if (text === undefined || types !== undefined) return types;
  return reject(field, `expected ${PREDICATE_TYPE_ALIASES.join(', ')} or a URI, found ${quote(text)}; correct it`);
}

function readCondition(policy: Field) {
  const fields = readMapping(policy, FIELD_TABLES['spec.authorities[].attestations[].policy']);
  if (fields === undefined) return undefined;
  const typeField = required(policy, fields, 'type', 'write cel');
  const type = typeField && readText(typeField);
  if (typeField !== undefined && type !== undefined && type !== 'cel') {
    const fix = `write the condition in CEL, for example "${EXAMPLE}"`;
    return reject(typeField, `expected cel, found ${quote(type)}, which is not evaluated here; ${fix}`);
  }
  const data = required(policy, fields, 'data', `write the condition in CEL, for example "${EXAMPLE}"`);
  const source = data && readText(data);
  if (type === undefined || data === undefined || source === undefined) return undefined;
  const result = compileCondition(source);
  if (result.ok) return result.condition;
  return reject(data, `expected a condition in CEL, found one that is not usable: ${result.problem}; correct it`);
}
