import { MAX_STATIC_MESSAGE_LENGTH } from '../../limits.ts';
import { type Field, readLine, readMapping, readWord, required } from '../../yaml/field.ts';
import { FIELD_TABLES } from '../../yaml/field-tables.ts';

/** `spec.authorities[].static`: an answer that needs no evidence. */
export interface StaticDocument {
  readonly kind: 'static';
  readonly action: 'pass' | 'fail';
  readonly message: string | undefined;
}

/** Reads an authority that answers without looking at evidence. */
export function readStaticRule(field: Field): StaticDocument | undefined {
  const fields = readMapping(field, FIELD_TABLES['spec.authorities[].static']);
  if (fields === undefined) return undefined;
  const actionField = required(field, fields, 'action', 'write pass or fail');
  const action = actionField && readWord(actionField, ['pass', 'fail'], 'choose one');
  const messageField = fields.get('message');
  const message = messageField && readLine(messageField, MAX_STATIC_MESSAGE_LENGTH);
  return action === undefined ? undefined : { kind: 'static', action, message };
}
