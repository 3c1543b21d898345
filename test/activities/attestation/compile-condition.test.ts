import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileCondition } from '../../../activities/attestation/condition.ts';
import { MAX_CONDITION_LENGTH } from '../../../activities/limits.ts';

describe('a condition, when it is read', () => {
  for (const source of [
    'predicate.buildType == "https://slsa.dev/container-based-build/v0.1"',
    'predicateType == "https://slsa.dev/provenance/v1" && statement.predicateType == predicateType',
    'subject.exists(s, s.name == "app")',
    'predicate.scanner.result.all(r, r.severity != "CRITICAL" || r.id in ["CVE-1", "CVE-2"])',
    'has(predicate.builder) && predicate.builder.id.matches("^https://github\\\\.com/acme/")',
    '!predicate.packages.exists(p, p.licenses.exists(l, l.startsWith("GPL")))',
    'timestamp(predicate.metadata.scanFinishedOn) > timestamp("2026-01-01T00:00:00Z")',
    'predicate.materials.filter(m, m.uri.contains("git")).size() == 1',
    'predicate.levels.map(l, l.lowerAscii()).exists_one(l, l == "slsa_build_level_3")',
    'predicate["a-b"][0] == 1 ? true : predicate.c == {"d": [1, 2u, 3.0, null]}',
    'type(predicate.score) == double && int(predicate.score) % 2 == 0',
    'matches(predicate.builder.id, "^https://")',
    '  // why\n  predicate.ok\n',
  ]) {
    it(`may say ${source}`, () => {
      assert.deepEqual(compileCondition(source), { ok: true, condition: { source } });
    });
  }

  const UNUSABLE: readonly (readonly [source: string, problem: RegExp])[] = [
    ['', /^it is empty$/],
    [' \n\t', /^it is empty$/],
    [`predicate.a == "${'x'.repeat(MAX_CONDITION_LENGTH)}"`, /^expected at most 4096 characters, found \d+$/],
    ['predicate.a ==', /^expected an expression in CEL, found "line 1, column \d+: found/],
    ['predicate.a = 1', /^expected an expression in CEL/],
    ['predicate.a == 1\n  and predicate.b == 2', /"line 2, column 3: found a/],
    ['package acme\ndefault allow = false', /^expected an expression in CEL/],
    ['predicateType: "https://slsa.dev/provenance/v1"', /^expected an expression in CEL/],
    ['image.tag == "a"', /^it names "image", which does not exist: predicate, predicateType, subject, statement do$/],
    ['true || request.user == "root"', /^it names "request"/],
    ['predicate.a.all(x, x == y)', /^it names "y"/],
    ['predicate.a.exists(x, true) && x', /^it names "x"/],
    ['x.all(x, true)', /^it names "x"/],
    ['now() > timestamp(predicate.t)', /^there is no function "now" of 0 arguments$/],
    ['predicate.name.like("a")', /^there is no method "like" of 1 arguments$/],
    ['predicate.name.startsWith("a", "b")', /^there is no method "startsWith" of 2 arguments$/],
    ['startsWith(predicate.name, "a")', /^there is no function "startsWith"/],
    ['has(predicate)', /^there is no function "has"/],
    ['predicate.a.all(x, y, true)', /^there is no method "all"/],
    ['predicate.a.matches("(a")', /^expected a pattern in RE2 syntax, found "/],
    ['predicate.a.matches("(?=a)")', /^expected a pattern in RE2 syntax, found "/],
    ['predicate.id == 9007199254740993', /^the integer 9007199254740993 is outside/],
    [`predicate.id == ${'9'.repeat(3000)}`, /^the integer 9{40}\.\.\. is outside/],
    ['predicate.id == -9007199254740993', /^the integer -9007199254740993 is outside/],
    ['predicate.score < 1e999', /^it has a number that is larger than any double$/],
    ['!(predicate.score >= -1.0e400)', /^it has a number that is larger than any double$/],
    ['predicate.id == 18446744073709551615u', /^the integer 18446744073709551615 is outside/],
    [
      'google.protobuf.Timestamp{seconds: 1} == predicate.t',
      /^messages \("google\.protobuf\.Timestamp"\) have no place/,
    ],
    ['"yes"', /^expected a comparison, found a value$/],
    ['1', /^expected a comparison, found a value$/],
    ['[true]', /^expected a comparison, found a list/],
    ['{"a": true}', /^expected a comparison, found a list, map/],
    ['size(predicate.a)', /^expected a comparison, found the result of "size", which is no boolean$/],
    ['predicate.a + 1', /^expected a comparison, found the result of "_\+_", which is no boolean$/],
    ['('.repeat(4000), /^it nests brackets deeper than 50 levels$/],
    [`predicate.a == ${'{'.repeat(1000)}`, /^it nests brackets deeper than 50 levels$/],
    ['('.repeat(50), /^expected an expression in CEL, found "/],
    [`${'['.repeat(2000)}1${']'.repeat(2000)} == 1`, /./],
    [`${'f('.repeat(1000)}1${')'.repeat(1000)}`, /./],
    [`predicate${'.a'.repeat(1000)} == 1`, /^it nests deeper than 200 levels$/],
    [`${'[1].all(x,'.repeat(150)}true${')'.repeat(150)}`, /^it nests brackets deeper than 50 levels$/],
  ];
  for (const [source, problem] of UNUSABLE) {
    it(`is refused, and told why: ${JSON.stringify(source.slice(0, 60))}`, () => {
      const result = compileCondition(source);
      assert.equal(result.ok, false);
      assert.match(result.problem, problem);
      assert.match(result.problem, /^[\x20-\x7e]{1,400}$/, 'one short line');
    });
  }
});
