import { readDuration } from '../../yaml/duration.ts';
import { type Field, readMapping, readWord, reject, required } from '../../yaml/field.ts';
import { REQUIREMENT_TABLES } from '../../yaml/field-tables.ts';

/** `spec.key` of an AuthorityRequirement: how a key in a KMS is looked at. */
export interface KeyDemand {
  readonly field: Field;
  /** How old the state of the key may be, in ms; `undefined`: as it is. */
  readonly maxAgeMs: number | undefined;
  /** How old the last known state may be while the KMS can't be reached, in ms; 0 refuses. */
  readonly staleMs: number;
  readonly verification: 'local' | 'remote';
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** From a state that is asked for with nearly every pull to one that makes a disabled key good for an hour. */
const MAX_AGE = { least: 10_000, most: HOUR };

/** Nobody may call a key good for longer than a day after its owner last did. */
const ALLOW_FOR = { least: MINUTE, most: 24 * HOUR };

/** Reads how a key in a KMS is looked at. */
export function readKeyDemand(field: Field): KeyDemand | undefined {
  const fields = readMapping(field, REQUIREMENT_TABLES['spec.key']);
  if (fields === undefined) return undefined;
  if (fields.size === 0) return reject(field, 'expected maxAge, whenUnreachable or verification, found none; add one');
  const age = fields.get('maxAge');
  const maxAgeMs = age && readDuration(age, MAX_AGE);
  const unreachable = fields.get('whenUnreachable');
  const verification = fields.get('verification');
  return {
    ...{ field, maxAgeMs },
    staleMs: (unreachable && readAllowance(unreachable, maxAgeMs)) ?? 0,
    verification: (verification && readWord(verification, ['local', 'remote'], 'choose one')) ?? 'local',
  };
}

function readAllowance(field: Field, maxAgeMs: number | undefined): number | undefined {
  const fields = readMapping(field, REQUIREMENT_TABLES['spec.key.whenUnreachable']);
  const allow = fields && required(field, fields, 'allowFor', 'say how long, or remove whenUnreachable to refuse');
  const ms = allow && readDuration(allow, ALLOW_FOR);
  if (allow === undefined || ms === undefined || maxAgeMs === undefined || ms > maxAgeMs) return ms;
  return reject(allow, 'expected more than maxAge, found less, which allows nothing; raise it');
}
