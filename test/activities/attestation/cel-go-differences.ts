/** One evaluation in which a condition and cel-go disagree. */
export interface Disagreement {
  readonly rule: string;
  /** The value of `predicate.v` as JSON; empty when there is none. */
  readonly value: string;
  /** T true, F false, E error, O another type. */
  readonly ours: string;
  readonly theirs: string;
}

/** A difference from cel-go that is meant. `looser`: a condition holds where it does not hold for cel-go. */
export interface Difference {
  readonly reason: string;
  readonly looser: boolean;
  readonly covers: (disagreement: Disagreement) => boolean;
}

/** An error that cel-go doesn't see: no condition holds because of it. */
function stricter(reason: string, rules: RegExp, values: RegExp = /^/): Difference {
  const covers = ({ rule, value, ours }: Disagreement): boolean =>
    ours === 'E' && rules.test(rule) && values.test(value);
  return { reason, looser: false, covers };
}

/** Every way in which a condition may differ from cel-go. `activities/attestation/README.md` has the same list. */
export const DIFFERENCES: readonly Difference[] = [
  stricter(
    'has() of a value that has no fields is an error, as cel-spec says; cel-go answers false for text, numbers and booleans',
    /has\(/,
  ),
  stricter(
    'only text, booleans and whole numbers can be keys: anything else "in" a map is an error',
    /\bin \{|\bin predicate\.v\)/,
  ),
  stricter('the keys of a map are text, booleans or whole numbers, and none is there twice', /^\{.*predicate\.v: /),
  stricter(
    'double() reads decimal numbers: no NaN, infinity, hexadecimal digits or underscores',
    /double\(predicate\.v\)/,
    /nan|inf|_|x/i,
  ),
  stricter('cel-spec has no int() of a duration; cel-go counts nanoseconds', /int\(duration/),
  stricter('the empty text is no time zone; cel-go takes it as UTC', /getHours\(predicate\.v\)/, /^""$/),
  stricter(
    'a fixed time zone has two digits for hours and for minutes, at most 23:59; cel-go takes any number',
    /getHours\("[+]?(?:2:00|25:00|02:99)"\)/,
  ),
  stricter('the years before the first cannot be shown in a named time zone', /America/, /^"0001-01-01/),
  stricter('indexOf() from behind the end is an error, as cel-spec says; cel-go answers -1', /ndexOf\("c", 1\)/),
  stricter('%d takes no number with a fraction, and a JSON number is a double', /"%d"/),
  stricter('format() takes as many arguments as the text names', /v\.format\(\[1\]\)/),
  {
    reason: 'getMilliseconds() of a duration is its fraction of a second, as cel-spec says; cel-go gives all of it',
    looser: true,
    covers: ({ rule, value }) => rule.includes(').getMilliseconds()') && /^"[-+]?[0-9]/.test(value),
  },
  {
    reason:
      'an integer beyond 2^53 equals a double only when both are the same number; cel-go rounds the integer first',
    looser: true,
    covers: ({ rule }) => /int\("9007199254740993"\) [!=]= |int\(predicate\.v\) == double/.test(rule),
  },
  {
    reason: 'string() of a double is written as JSON writes it: 12345678, in cel-go 1.2345678e+07',
    looser: true,
    covers: ({ rule, value }) => /^string\((?:double\()?predicate\.v\)/.test(rule) && /^"?-?[0-9.e]+"?$/.test(value),
  },
  {
    reason: 'string() of a timestamp is in UTC; cel-go keeps the offset that its text had',
    looser: true,
    covers: ({ rule, value }) => rule.startsWith('string(timestamp(') && /[+-]\d\d:\d\d"$/.test(value),
  },
  {
    reason: '%f and %e take the texts NaN and Infinity, which cel-spec had them take before',
    looser: true,
    covers: ({ rule, value }) => /"%(?:f|\.1f|e)"/.test(rule) && /^"(?:NaN|Infinity)"$/.test(value),
  },
];
