import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import {
  type ConditionJudgement,
  compileCondition,
  evaluateCondition,
} from '../../../activities/attestation/condition.ts';
import type { Statement } from '../../../activities/sigstore/judgement.ts';
import { CYCLONEDX, SLSA_V1, SLSA_V02, SPDX, stating, VSA, VULN } from './statements.ts';

describe('a condition over an attestation', () => {
  const ROWS: readonly (readonly [statement: Statement, condition: string, holds: boolean])[] = [
    [SLSA_V02, 'predicate.builder.id == "https://github.com/actions/runner"', true],
    [SLSA_V02, 'predicate.builder.id.startsWith("https://gitlab.com/")', false],
    [SLSA_V02, 'predicate.materials.all(m, m.uri.startsWith("git+https://github.com/acme/"))', true],
    [SLSA_V02, 'predicate.metadata.completeness.parameters && predicate.metadata.reproducible', false],
    [SLSA_V1, 'predicateType == "https://slsa.dev/provenance/v1"', true],
    [
      SLSA_V1,
      'predicate.buildDefinition.externalParameters.workflow.repository == "https://github.com/acme/app" && predicate.runDetails.builder.id.matches("^https://github\\\\.com/acme/")',
      true,
    ],
    [SLSA_V1, 'timestamp(predicate.runDetails.metadata.startedOn) > timestamp("2027-01-01T00:00:00Z")', false],
    [SPDX, 'predicate.spdxVersion in ["SPDX-2.2", "SPDX-2.3"] && size(predicate.packages) >= 2', true],
    [SPDX, 'predicate.packages.exists(p, p.licenseConcluded.contains("GPL"))', false],
    [CYCLONEDX, 'predicate.bomFormat == "CycloneDX" && !predicate.components.exists(c, c.name == "log4j-core")', true],
    [CYCLONEDX, 'predicate.components.filter(c, c.type == "library").size() == 3', false],
    [VULN, 'predicate.scanner.result.vulnerabilities.all(v, v.severity != "CRITICAL")', true],
    [VULN, 'predicate.scanner.result.vulnerabilities.all(v, v.score < 7)', false],
    [VULN, 'predicate.scanner.result.vulnerabilities.all(v, v.score < 7 || v.id in ["CVE-2026-0001"])', true],
    [
      VULN,
      'timestamp(predicate.metadata.scanFinishedOn) - timestamp(predicate.metadata.scanStartedOn) < duration("1h")',
      true,
    ],
    [VSA, 'predicate.verificationResult == "PASSED" && "SLSA_BUILD_LEVEL_3" in predicate.verifiedLevels', true],
    [VSA, 'predicate.verifier.id == "https://example.com/other"', false],
    [VSA, 'subject.exists(s, s.digest.sha256 == "%DIGEST%")'.replace('%DIGEST%', 'ab'.repeat(32)), true],
    [VSA, 'statement.subject[0].name == "registry.example/app"', true],
  ];
  for (const [statement, condition, holds] of ROWS) {
    it(`${condition} ${holds ? 'holds' : 'does not hold'} for ${statement.predicateType}`, async () => {
      const judgement = await judge(condition, statement);
      assert.equal(judgement.holds, holds);
      if (!judgement.holds) assert.match(judgement.sentence, /^the condition ".*" does not hold$/);
    });
  }
});

describe('a number in JSON', () => {
  const NUMBERS: readonly (readonly [predicate: unknown, condition: string, holds: boolean])[] = [
    [{ x: 7 }, 'predicate.x >= 7', true],
    [{ x: 7 }, 'predicate.x == 7', true],
    [{ x: 7 }, 'predicate.x == 7.0', true],
    [{ x: 7 }, 'predicate.x == 7u', true],
    [{ x: 7 }, 'predicate.x in [5, 7]', true],
    [{ x: 7 }, 'predicate.x != 7', false],
    [{ x: 6.9 }, 'predicate.x >= 7', false],
    [{ x: 7.5 }, 'predicate.x > 7 && predicate.x < 8', true],
    [{ x: 7 }, 'type(predicate.x) == double', true],
    [{ x: 7 }, 'predicate.x + 1.0 == 8', true],
    [{ x: 7 }, 'int(predicate.x) + 1 == 8', true],
    [{ x: [1, 2], i: 1 }, 'predicate.x[predicate.i] == 2', true],
    [{ x: -0 }, 'predicate.x == 0', true],
    [{ x: '7' }, 'predicate.x == 7', false],
    [{ x: true }, 'predicate.x == 1', false],
    [{ x: 9007199254740992 }, 'predicate.x <= 9007199254740991', false],
  ];
  for (const [predicate, condition, holds] of NUMBERS) {
    it(`makes ${condition} ${holds} for ${JSON.stringify(predicate)}`, async () => {
      assert.equal((await judge(condition, stating(predicate))).holds, holds);
    });
  }

  it('is a double, to which no integer can be added', async () => {
    const judgement = await judge('predicate.x + 1 == 8', stating({ x: 7 }));
    assert.equal(judgement.holds, false);
    assert.match(
      judgement.sentence,
      /could not be evaluated: "found no matching overload for '_\+_' applied to '\(double, int\)'"$/,
    );
  });
});

describe('a condition that gives anything but true', () => {
  const REFUSED: readonly (readonly [predicate: unknown, condition: string, sentence: RegExp])[] = [
    [{ x: 'yes' }, 'predicate.x', /gives no boolean: it gives a value of type string$/],
    [{ x: 1 }, 'predicate.x', /of type double$/],
    [{ x: 'true' }, 'predicate.x', /of type string$/],
    [{ x: null }, 'predicate.x', /of type null_type$/],
    [{ x: [true] }, 'predicate.x', /of type list$/],
    [{ x: { y: true } }, 'predicate.x', /of type map$/],
    [{}, 'predicate.x', /could not be evaluated: "field not found: x"$/],
    [{}, 'predicate.x != 1', /could not be evaluated: "field not found: x"$/],
    [{}, '!(predicate.x == 1)', /could not be evaluated/],
    [{}, '!has(predicate.x.y)', /could not be evaluated/],
    [{ x: 1 }, 'predicate.x.matches("a")', /could not be evaluated/],
    [{ x: 'a', p: '(' }, 'predicate.x.matches(predicate.p)', /could not be evaluated: "error parsing regexp/],
    [{ x: 5 }, 'predicate.x.all(i, i > 0)', /could not be evaluated: "type mismatch/],
    [{ x: [1, 'a'] }, 'predicate.x.all(i, i > 0)', /could not be evaluated/],
    [{ x: [] }, 'predicate.x[0] == 1', /could not be evaluated/],
    [{ x: 'a' }, 'timestamp(predicate.x) < timestamp("2026-01-01T00:00:00Z")', /could not be evaluated/],
  ];
  for (const [predicate, condition, sentence] of REFUSED) {
    it(`does not hold: ${condition} over ${JSON.stringify(predicate)}`, async () => {
      const judgement = await judge(condition, stating(predicate));
      assert.equal(judgement.holds, false);
      assert.match(judgement.sentence, sentence);
    });
  }

  for (const predicate of ['text', '', 0, 7, false, true, [], [1], [{ critical: true }]]) {
    for (const condition of [
      'predicate.x == 1',
      'predicate != 1',
      '!has(predicate.critical)',
      'predicateType != "x"',
    ]) {
      it(`does not hold over a predicate that is not an object: ${condition} over ${JSON.stringify(predicate)}`, async () => {
        const judgement = await judge(condition, stating(predicate));
        assert.equal(judgement.holds, false);
        assert.match(judgement.sentence, /does not hold: the predicate of the attestation is not an object$/);
      });
    }
  }

  for (const predicate of [undefined, null]) {
    it(`does not hold over no predicate (${predicate}), even when it asks for absence`, async () => {
      const judgement = await judge('!has(predicate.finding)', stating(predicate));
      assert.equal(judgement.holds, false);
      assert.match(judgement.sentence, /does not hold: the attestation has no predicate$/);
    });
  }

  it('is told in one line of printable ASCII, whatever it and the attestation hold', async () => {
    const judgement = await judge(
      'predicate.x ==\n  "\u202e\\n" ||\t{predicate.y: 1, predicate.z: 2}.a',
      stating({ x: '', y: 'k\n\u001b[2J', z: 'k\n\u001b[2J' }),
    );
    assert.equal(judgement.holds, false);
    assert.match(judgement.sentence, /^[\x20-\x7e]{1,600}$/);
  });
});

describe('a condition that denies, over values of the wrong type', () => {
  const critical = '!has(predicate.result.critical)';
  const DENIED: readonly (readonly [predicate: unknown, condition: string])[] = [
    ...[['critical'], [{ critical: true }], [], 'critical', '', false, true, 0, 7, null].map(
      (result) => [{ result }, critical] as const,
    ),
    [{}, critical],
    [{ result: { critical: null } }, critical],
    [{ result: { critical: false } }, critical],
    [{ result: { critical: null } }, '!("critical" in predicate.result)'],
    ...['', ' ', 'n/a', 'NaN', '-Infinity', '0b1', ' 6 ', '6e', '1e-999999999x', '0x1', null, [], {}, true].map(
      (score) => [{ score }, 'double(predicate.score) < 7.0 || !(double(predicate.score) >= 7.0)'] as const,
    ),
    [{ score: '' }, 'int(predicate.score) < 7'],
    [{ score: '0x01' }, 'int(predicate.score) < 7'],
    [{ score: '-0' }, 'uint(predicate.score) < 7u'],
    [{ age: '' }, 'duration(predicate.age) < duration("24h")'],
    [{ age: '+' }, 'duration(predicate.age) < duration("24h")'],
    [{ at: '2026-02-30T00:00:00Z' }, 'timestamp(predicate.at) > timestamp("2026-01-01T00:00:00Z")'],
    [{ at: '2026-01-01T24:00:00Z' }, 'timestamp(predicate.at) > timestamp("2026-01-01T00:00:00Z")'],
    [{ at: '2026-06-01T00:00:00Z' }, 'timestamp(predicate.at).seconds > 0'],
    [{ l: ['critical', 'x'] }, 'predicate.l[true] != "critical"'],
    [{ tag: '\u{1F600}' }, 'predicate.tag < "\u{FFFD}"'],
    [{ zone: 'utc' }, 'timestamp("2026-01-01T00:00:00Z").getHours(predicate.zone) == 0'],
    [{ n: '-9223372036854775808' }, 'int(predicate.n) % -1 == 0'],
  ];
  for (const [predicate, condition] of DENIED) {
    it(`does not hold: ${condition} over ${JSON.stringify(predicate)}`, async () => {
      assert.equal((await judge(condition, stating(predicate))).holds, false);
    });
  }

  const ALLOWED: readonly (readonly [predicate: unknown, condition: string])[] = [
    [{ result: {} }, critical],
    [{ result: { high: 1 } }, critical],
    [{ result: { critical: null } }, 'has(predicate.result.critical) && "critical" in predicate.result'],
    [{ score: '6.9' }, 'double(predicate.score) < 7.0'],
    [{ score: '007' }, 'int(predicate.score) == 7'],
    [{ age: '1h30m0.5s' }, 'duration(predicate.age) == duration("5400.5s")'],
    [{ at: '2028-02-29T23:59:59.5+02:00' }, 'timestamp(predicate.at).getDayOfYear() == 59'],
    [{ at: 1767225600 }, 'timestamp(int(predicate.at)) == timestamp("2026-01-01T00:00:00Z")'],
  ];
  for (const [predicate, condition] of ALLOWED) {
    it(`holds: ${condition} over ${JSON.stringify(predicate)}`, async () => {
      assert.deepEqual(await judge(condition, stating(predicate)), { holds: true });
    });
  }

  it('holds or not whatever time zone the machine is in', () => {
    const program = `
      import { answerCondition } from '${new URL('../../../activities/attestation/condition-answer.ts', import.meta.url)}';
      const source = ${JSON.stringify(DAYLIGHT_SAVING)};
      console.log(JSON.stringify(answerCondition({ source, statement: '{"predicate": {}}' })));
    `;
    for (const TZ of ['UTC', 'America/New_York', 'Asia/Kathmandu', 'Pacific/Apia']) {
      const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
        encoding: 'utf8',
        env: { ...process.env, TZ },
      });
      assert.equal(stdout.trim(), '{"kind":"value","holds":true}', TZ);
    }
  });

  it('reads a list of many thousand elements that a macro made', async () => {
    const l = Array.from({ length: 20_000 }, (_, i) => i);
    const condition =
      'predicate.l.filter(x, x >= 10).all(x, x >= 10) && predicate.l.map(x, [x])[19999] == [19999] && (predicate.l + predicate.l).size() == 40000';
    assert.deepEqual(await judge(condition, stating({ l })), { holds: true });
  });
});

/** An hour that clocks in New York skip, and a day of its summer. */
const DAYLIGHT_SAVING =
  'timestamp("2026-03-08T02:30:00Z").getHours() == 2 && timestamp("2026-07-05T00:30:00Z").getDayOfYear() == 185' +
  ' && timestamp("2026-07-05T00:30:00Z").getDate("Asia/Tokyo") == 5';

describe('names that mean something to JavaScript or to protobuf', () => {
  const NAMES: readonly (readonly [predicate: string, condition: string])[] = [
    ['{"constructor":{"name":"a"}}', 'predicate.constructor.name == "a"'],
    ['{"__proto__":{"admin":true}}', 'predicate["__proto__"].admin && !has(predicate.admin)'],
    ['{"$typeName":"google.protobuf.Value","x":1}', 'predicate.x == 1 && type(predicate) == map'],
    ['{"toString":1,"valueOf":2,"hasOwnProperty":3}', 'predicate.toString + predicate.hasOwnProperty == 4.0'],
    ['{"size":5,"has":6}', 'predicate.size == 5 && predicate.has == 6 && predicate.size() == 2'],
    ['{}', '!has(predicate.constructor) && !has(predicate.toString) && !("__proto__" in predicate)'],
    ['{"predicateType":"x"}', 'predicateType == "https://example.com/test" && predicate.predicateType == "x"'],
  ];
  for (const [predicate, condition] of NAMES) {
    it(`are names like any other in ${predicate}`, async () => {
      const parsed: unknown = JSON.parse(predicate);
      assert.deepEqual(await judge(condition, stating(parsed)), { holds: true });
    });
  }
});

async function judge(source: string, statement: Statement): Promise<ConditionJudgement> {
  const result = compileCondition(source);
  assert.ok(result.ok, result.ok ? '' : result.problem);
  return await evaluateCondition(result.condition, statement);
}
