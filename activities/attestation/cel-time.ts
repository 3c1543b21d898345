import { type CelFunc, CelScalar, celFunc, celMethod, objectType } from '@bufbuild/cel';
import { create } from '@bufbuild/protobuf';
import { type Duration, DurationSchema, type Timestamp, TimestampSchema } from '@bufbuild/protobuf/wkt';
import { localTime } from './cel-time-zone.ts';

const { INT, STRING } = CelScalar;
const TIMESTAMP = objectType(TimestampSchema);
const DURATION = objectType(DurationSchema);

const NANOS = 1_000_000_000n;

/** Years 1 to 9999 (google.protobuf.Timestamp), in seconds. */
const FIRST_SECOND = -62_135_596_800n;
const LAST_SECOND = 253_402_300_799n;

/** Of a duration in nanoseconds (langdef "Overflow"). */
const MAX_NANOS = 2n ** 63n - 1n;

/** Longer than any duration that is written with all its units and nine digits of a fraction. */
const MAX_DURATION_LENGTH = 128;

/**
 * Times as cel-spec has them (langdef "Types and Conversions", v0.25.1). `@bufbuild/cel` reads 30 February as 2 March and
 * the empty text as a duration of 0, counts `timestamp(int)` in milliseconds, and takes the fields of a time in the time zone
 * of the machine that it runs on. A duration has no integer and an integer no duration in the specification.
 */
export const TIME_FUNCTIONS: readonly CelFunc[] = [
  celFunc('timestamp', [STRING], TIMESTAMP, parseTimestamp),
  celFunc('timestamp', [INT], TIMESTAMP, (seconds) => timestamp(seconds, 0)),
  celFunc('duration', [STRING], DURATION, parseDuration),
  celFunc('duration', [INT], DURATION, () => noConversion('duration', 'int')),
  celFunc('int', [DURATION], INT, () => noConversion('int', 'duration')),
  celFunc('string', [TIMESTAMP], STRING, ({ message }) => formatTimestamp(message)),
  celFunc('string', [DURATION], STRING, ({ message }) => formatDuration(message)),
  ...fieldMethods('getFullYear', (time) => time.getUTCFullYear()),
  ...fieldMethods('getMonth', (time) => time.getUTCMonth()),
  ...fieldMethods('getDate', (time) => time.getUTCDate()),
  ...fieldMethods('getDayOfMonth', (time) => time.getUTCDate() - 1),
  ...fieldMethods('getDayOfWeek', (time) => time.getUTCDay()),
  ...fieldMethods('getDayOfYear', dayOfYear),
  ...fieldMethods('getHours', (time) => time.getUTCHours()),
  ...fieldMethods('getMinutes', (time) => time.getUTCMinutes()),
  ...fieldMethods('getSeconds', (time) => time.getUTCSeconds()),
  ...fieldMethods('getMilliseconds', (time) => time.getUTCMilliseconds()),
];

function fieldMethods(name: string, field: (time: Date) => number): readonly CelFunc[] {
  return [
    celMethod(name, TIMESTAMP, [], INT, function () {
      return BigInt(field(toDate(this.message)));
    }),
    celMethod(name, TIMESTAMP, [STRING], INT, function (zone) {
      return BigInt(field(localTime(toDate(this.message), zone)));
    }),
  ];
}

function toDate({ seconds, nanos }: Timestamp): Date {
  return new Date(Number(seconds) * 1000 + Math.floor(nanos / 1_000_000));
}

function dayOfYear(time: Date): number {
  const midnight = new Date(time).setUTCHours(0, 0, 0, 0);
  return Math.round((midnight - new Date(midnight).setUTCMonth(0, 1)) / 86_400_000);
}

const RFC_3339 = /^(\d{4}-\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))$/;

/** RFC 3339 with a date that exists; digits behind nanoseconds are dropped, and a leap second is none that can be counted. */
function parseTimestamp(text: string): Timestamp {
  const [, month = '', day = '', hour = '', minute = '', second = '', fraction = '', sign, ...offset] =
    RFC_3339.exec(text) ?? [];
  const midnight = new Date(`${month}-${day}T00:00:00Z`);
  const [offsetHour = '0', offsetMinute = '0'] = offset.map((part) => part ?? '0');
  const exists = !Number.isNaN(midnight.getTime()) && midnight.getUTCDate() === Number(day);
  const inRange = Number(hour) < 24 && Number(minute) < 60 && Number(second) < 60;
  if (!exists || !inRange || Number(offsetHour) > 23 || Number(offsetMinute) > 59) {
    throw new Error('timestamp() expects a time in RFC 3339, as in 2026-01-31T12:00:00Z');
  }
  const shift = (Number(offsetHour) * 60 + Number(offsetMinute)) * (sign === '-' ? -60 : 60);
  const seconds = midnight.getTime() / 1000 + Number(hour) * 3600 + Number(minute) * 60 + Number(second) - shift;
  return timestamp(BigInt(seconds), Number(fraction.slice(0, 9).padEnd(9, '0')));
}

function timestamp(seconds: bigint, nanos: number): Timestamp {
  if (seconds < FIRST_SECOND || seconds > LAST_SECOND)
    throw new Error('timestamp() is given a time that is out of range');
  return create(TimestampSchema, { seconds, nanos });
}

const UNIT_NANOS: ReadonlyMap<string, bigint> = new Map([
  ['ns', 1n],
  ['us', 1_000n],
  ['\u00b5s', 1_000n],
  ['\u03bcs', 1_000n],
  ['ms', 1_000_000n],
  ['s', NANOS],
  ['m', 60n * NANOS],
  ['h', 3600n * NANOS],
]);

const QUANTITY = /(\d*)(?:\.(\d*))?(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/y;

/** A number with its unit once or more, as in `1h30m`, or `0` (Go's `time.ParseDuration`). */
function parseDuration(text: string): Duration {
  const unsigned = text.replace(/^[+-]/, '');
  if (text.length > MAX_DURATION_LENGTH || unsigned === '') throw durationProblem();
  let nanos = 0n;
  for (let at = 0; at < unsigned.length && unsigned !== '0'; at = QUANTITY.lastIndex) {
    QUANTITY.lastIndex = at;
    const [, whole = '', fraction = '', unit = ''] = QUANTITY.exec(unsigned) ?? [];
    const factor = UNIT_NANOS.get(unit);
    if (factor === undefined || whole + fraction === '') throw durationProblem();
    nanos += BigInt(whole) * factor + (BigInt(fraction) * factor) / 10n ** BigInt(fraction.length);
  }
  const signed = text.startsWith('-') ? -nanos : nanos;
  if (signed > MAX_NANOS || signed < -MAX_NANOS - 1n) throw new Error('duration() is given one that is out of range');
  return create(DurationSchema, { seconds: signed / NANOS, nanos: Number(signed % NANOS) });
}

function durationProblem(): Error {
  return new Error('duration() expects numbers with units, as in 1h30m');
}

function formatTimestamp(time: Timestamp): string {
  return `${toDate(time).toISOString().slice(0, 19)}${fractionOf(time.nanos)}Z`;
}

function formatDuration({ seconds, nanos }: Duration): string {
  const [whole, part] = [seconds < 0n ? -seconds : seconds, Math.abs(nanos)];
  return `${seconds < 0n || nanos < 0 ? '-' : ''}${whole}${fractionOf(part)}s`;
}

function fractionOf(nanos: number): string {
  return nanos === 0 ? '' : `.${String(nanos).padStart(9, '0').replace(/0+$/, '')}`;
}

function noConversion(to: string, from: string): never {
  throw new Error(`${to}() takes no value of type ${from}`);
}
