const RFC3339 =
  /^(\d{4}-\d{2}-\d{2})T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/**
 * Reads a time as RFC 3339 section 5.6 spells it, with a zone and a day that the calendar has, and answers Unix ms.
 * `undefined` for everything else, which includes what `Date.parse` accepts beyond that: a date alone, a time without a
 * zone (read in the zone of the machine), hour 24, 31 June. Leap seconds are not accepted, as in protobuf and Go.
 */
export function parseRfc3339(value: unknown): number | undefined {
  const day = typeof value === 'string' ? RFC3339.exec(value)?.[1] : undefined;
  if (typeof value !== 'string' || day === undefined) return undefined;
  // `Date` reads 31 February as a day of March.
  const midnight = new Date(`${day}T00:00:00Z`);
  if (Number.isNaN(midnight.getTime()) || midnight.toISOString().slice(0, 10) !== day) return undefined;
  const time = Date.parse(value);
  return Number.isNaN(time) ? undefined : time;
}
