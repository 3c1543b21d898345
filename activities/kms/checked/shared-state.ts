import { CLOCK_SKEW_MS } from '../../../workflows/verdict/deadlines.ts';
import type { KeyStatement } from '../../../workflows/verdict/policy-head.ts';
import type { KeyDescription } from '../managed-key.ts';
import type { CheckedKey } from './managed-keys.ts';

/** What is known of a key, as it is told to other workers. */
export function toStatement({ reference, description, checkedAt }: CheckedKey): KeyStatement {
  const { resource, state, keys } = description;
  const told = { uri: reference.uri, resource, checkedAt: new Date(checkedAt).toISOString() };
  if (state.kind === 'usable') return { ...told, keyIds: keys.map(({ keyId }) => keyId) };
  return { ...told, keyIds: [], unusable: { code: state.code, sentence: state.sentence } };
}

/** How old a statement is, in ms, by the clock of this machine; `undefined` for one from the future. */
export function ageOf({ checkedAt }: KeyStatement, nowMs: number): number | undefined {
  // Clocks may differ, and a state must never look younger than it is.
  const age = nowMs - Date.parse(checkedAt) + CLOCK_SKEW_MS;
  return age < 0 ? undefined : age;
}

/** What a statement makes of what is known; `undefined` where it is about other keys, whose public halves are not here. */
export function describedBy(statement: KeyStatement, { resource, keys }: KeyDescription): KeyDescription | undefined {
  const { keyIds, unusable } = statement;
  if (unusable !== undefined) return { resource, state: { kind: 'unusable', ...unusable }, keys: [] };
  const isSame = keyIds.length === keys.length && keys.every(({ keyId }) => keyIds.includes(keyId));
  return isSame && statement.resource === resource ? { resource, state: { kind: 'usable' }, keys } : undefined;
}
