/** A section of cel-spec's conformance files that conditions don't offer, or a single test in which they differ. */
export interface OutOfScope {
  readonly section: string;
  readonly reason: string;
}

const MESSAGES = 'an attestation is JSON: a condition that names a protobuf message is refused at load';
const EXTENSIONS = 'of the extension libraries, conditions have strings alone';
const QUALIFIED = 'the four variables of a condition have no dots in their names';
const NO_NAN = 'double() reads decimal numbers: a comparison with NaN is never true, so its negation would be';

export const OUT_OF_SCOPE: readonly OutOfScope[] = [
  ...sections(MESSAGES, ['dynamic', 'enums', 'proto2', 'proto2_ext', 'proto3', 'wrappers', 'comparisons/eq_wrapper']),
  ...sections(MESSAGES, ['comparisons/eq_literal/not_eq_dyn_proto2_msg_null']),
  ...sections(MESSAGES, ['comparisons/eq_literal/not_eq_dyn_proto3_msg_null']),
  ...sections(
    MESSAGES,
    ['', '_missing_fields_neq'].flatMap((end) => [`ne_proto2${end}`, `ne_proto3${end}`]).map(unequal),
  ),
  ...sections(
    MESSAGES,
    ['', '_bytewise_fallback']
      .flatMap((end) => [`ne_proto2_any_unpack${end}`, `ne_proto3_any_unpack${end}`])
      .concat('ne_proto_nan_not_equal', 'ne_proto_different_types')
      .map(unequal),
  ),
  ...sections(MESSAGES, ['parse/nest/message_literal', 'parse/repeat/select', 'parse/repeat/message_literal']),
  ...sections(MESSAGES, ['parse/whitespace', 'parse/comments', 'parse/struct_field_names']),
  ...sections('the types of times have no names in a condition', [
    'timestamps/timestamp_conversions/type_comparison',
    'timestamps/duration_conversions/type_comparison',
  ]),
  ...sections(EXTENSIONS, ['bindings_ext', 'block_ext', 'encoders_ext', 'math_ext', 'macros2', 'optionals']),
  ...sections('conditions have no type checker: a wrong type is an error of the evaluation', ['type_deductions']),
  ...sections(QUALIFIED, ['namespace', 'fields/qualified_identifier_resolution']),
  ...sections('fields that are no identifiers are read by their text: predicate["content-type"]', [
    'fields/quoted_map_fields',
  ]),
  ...sections(NO_NAN, [
    ...['scientific notation', 'decimal', 'fixed-point'].flatMap((kind) => [
      `string_ext/format/NaN support for ${kind}`,
      `string_ext/format/positive infinity support for ${kind}`,
      `string_ext/format/negative infinity support for ${kind}`,
    ]),
    'string_ext/format/map support (all key types)',
    'string_ext/format/dyntype NaN/infinity support',
  ]),
];

function sections(reason: string, names: readonly string[]): readonly OutOfScope[] {
  return names.map((section) => ({ section, reason }));
}

function unequal(name: string): string {
  return `comparisons/ne_literal/${name}`;
}
