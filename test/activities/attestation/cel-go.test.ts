import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { answerCondition } from '../../../activities/attestation/condition-answer.ts';
import { isRecord } from '../../../workflows/format/record.ts';
import { DIFFERENCES } from './cel-go-differences.ts';

/** T true, F false, E error, O another type; the same letters as `cel-go/main.go` writes. */
type Letter = 'T' | 'F' | 'E' | 'O';

const { rules, values } = readTable();
const { celGo, answers } = readAnswers();

describe(`conditions beside cel-go ${celGo}`, () => {
  it('are compared over every rule and value of the table', () => {
    assert.deepEqual(
      Object.keys(answers).sort(),
      [...rules].sort(),
      'answers.json is for this table: run cel-go again',
    );
    assert.ok(rules.length >= 410 && values.length >= 190);
  });

  it('are recorded with the version that go.mod pins', () => {
    const pins = readFileSync(new URL('cel-go/go.mod', import.meta.url), 'utf8');
    assert.match(celGo, /^v\d+\.\d+\.\d+$/);
    assert.ok(pins.includes(`cel.dev/cel-go ${celGo}\n`), `${celGo}: run cel-go again`);
  });

  for (const rule of rules) {
    it(`${rule} says what cel-go says, over every type`, () => {
      const found = values.flatMap((value, i) => {
        const theirs = letterOfTheirs(rule, i);
        const ours = letterOf(rule, value);
        return ours === theirs || isDocumented(rule, value, ours, theirs)
          ? []
          : [`${value}: ${ours}, cel-go: ${theirs}`];
      });
      assert.deepEqual(found, []);
    });
  }
});

describe('the differences from cel-go', () => {
  for (const difference of DIFFERENCES) {
    it(`are still there: ${difference.reason}`, () => {
      const found = rules.flatMap((rule) =>
        values.filter((value, i) => {
          const [ours, theirs] = [letterOf(rule, value), letterOfTheirs(rule, i)];
          return ours !== theirs && difference.covers({ rule, value, ours, theirs });
        }),
      );
      assert.ok(found.length > 0, 'no rule of the table needs this difference any more: remove it');
    });
  }

  it('are documented, each with its effect', () => {
    const readme = readFileSync(new URL('../../../activities/attestation/README.md', import.meta.url), 'utf8');
    for (const { reason, looser } of DIFFERENCES) {
      assert.ok(readme.includes(`| ${reason} | ${looser ? 'another value' : 'stricter'} |`), reason);
    }
  });

  it('make no condition hold that cel-go finds wrong, but for those that say so', () => {
    for (const [at, rule] of rules.entries()) {
      for (const [i, value] of values.entries()) {
        const [ours, theirs] = [letterOf(rule, value), letterOfTheirs(rule, i)];
        if (ours !== 'T' || theirs === 'T') continue;
        const looser = DIFFERENCES.filter((one) => one.looser && one.covers({ rule, value, ours, theirs }));
        assert.notEqual(looser.length, 0, `${at}: ${rule} over ${value}`);
      }
    }
  });
});

function isDocumented(rule: string, value: string, ours: Letter, theirs: string): boolean {
  return DIFFERENCES.some((one) => one.covers({ rule, value, ours, theirs }));
}

function letterOfTheirs(rule: string, index: number): string {
  const line = answers[rule] ?? '';
  return line === 'refused' ? 'E' : (line[index] ?? '?');
}

function letterOf(source: string, value: string): Letter {
  const statement = `{"predicateType": "t", "subject": [], "predicate": ${value === '' ? '{}' : `{"v": ${value}}`}}`;
  const answer = answerCondition({ source, statement });
  switch (answer.kind) {
    case 'value':
      return answer.holds ? 'T' : 'F';
    case 'not-boolean':
      return 'O';
    case 'failed':
      return 'E';
  }
}

function readTable(): { readonly rules: readonly string[]; readonly values: readonly string[] } {
  const table = readJson('table.json');
  return { rules: texts(table['rules']), values: texts(table['values']) };
}

function readAnswers(): { readonly celGo: string; readonly answers: Readonly<Record<string, string>> } {
  const file = readJson('answers.json');
  const lines = file['answers'];
  assert.ok(isRecord(lines));
  const answers = Object.entries(lines).map(([rule, line]): [string, string] => {
    assert.ok(typeof line === 'string' && (line === 'refused' || line.length === values.length), rule);
    return [rule, line];
  });
  return { celGo: String(file['celGo']), answers: Object.fromEntries(answers) };
}

function readJson(name: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(readFileSync(new URL(`cel-go/${name}`, import.meta.url), 'utf8'));
  assert.ok(isRecord(value));
  return value;
}

function texts(value: unknown): readonly string[] {
  assert.ok(Array.isArray(value) && value.every((one) => typeof one === 'string'));
  return value;
}
