/** Conditions name one or two; the names may come from an attestation. */
const MAX_FORMATS = 100;

const formats = new Map<string, Intl.DateTimeFormat>();

const FIXED = /^([+-]?)(\d\d):(\d\d)$/;

/** Further from UTC than any place on earth, in ms. */
const MAX_OFFSET_MS = 26 * 3_600_000;

/**
 * A time as the clocks of a zone show it, in the UTC fields of the result: `+02:00`, or a name such as `Europe/Paris`
 * (cel-spec, langdef "Timezones"). Throws for what is no zone.
 */
export function localTime(time: Date, zone: string): Date {
  const [, sign, hours, minutes] = FIXED.exec(zone) ?? [];
  const offset = hours === undefined ? namedOffset(time, zone) : fixedOffset(sign, Number(hours), Number(minutes));
  return new Date(time.getTime() + offset);
}

function fixedOffset(sign: string | undefined, hours: number, minutes: number): number {
  if (hours > 23 || minutes > 59) throw new Error('a time zone is at most 23:59 away from UTC');
  return (sign === '-' ? -60_000 : 60_000) * (hours * 60 + minutes);
}

function namedOffset(time: Date, zone: string): number {
  const parts = new Map(
    formatOf(zone)
      .formatToParts(time)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const part = (name: Intl.DateTimeFormatPartTypes): number => parts.get(name) ?? Number.NaN;
  const shown = new Date(0);
  shown.setUTCFullYear(part('year'), part('month') - 1, part('day'));
  shown.setUTCHours(part('hour'), part('minute'), part('second'), time.getUTCMilliseconds());
  const offset = shown.getTime() - time.getTime();
  // Also NaN, and the years before the first, which are counted backwards.
  if (!(Math.abs(offset) < MAX_OFFSET_MS)) throw new Error('the time cannot be shown in this time zone');
  return offset;
}

/** Names are case-sensitive, as files of the time zone database are; `Intl` takes any case. */
const NAME = /^[A-Z][A-Za-z0-9_+-]*(?:\/[A-Z][A-Za-z0-9_+-]*)*$/;

function formatOf(zone: string): Intl.DateTimeFormat {
  if (!NAME.test(zone)) throw new Error('a time zone is named as in Europe/Paris, or written as in +02:00');
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const two = '2-digit';
  const format = new Intl.DateTimeFormat('en-US', {
    ...{ calendar: 'gregory', hourCycle: 'h23', numberingSystem: 'latn', timeZone: zone },
    ...{ year: 'numeric', month: two, day: two, hour: two, minute: two, second: two },
  });
  if (formats.size >= MAX_FORMATS) formats.clear();
  formats.set(zone, format);
  return format;
}
