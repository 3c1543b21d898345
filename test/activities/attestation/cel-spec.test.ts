import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { celType, isCelError } from '@bufbuild/cel';
import { getConformanceSuite, type IncrementalTest } from '@bufbuild/cel-spec/testdata/tests.js';
import { conditionEnvironment, planExpression } from '../../../activities/attestation/cel-environment.ts';
import { OUT_OF_SCOPE } from './cel-spec-scope.ts';
import { bindingsOf, wantedOf, written } from './cel-spec-value.ts';

type Suite = ReturnType<typeof getConformanceSuite>;

/** The tests of cel-spec (`tests/simple/testdata`), by section: `timestamps/duration_range/add_over`. */
const tests = [...flatten(getConformanceSuite(), [])];
const environment = conditionEnvironment();

describe('conditions and the conformance files of cel-spec', () => {
  it('are all there', () => assert.equal(tests.length, 2344));

  for (const [path, test] of tests) {
    if (exclusionOf(path) === undefined) it(path, () => assert.equal(problemOf(test), undefined));
  }
});

describe('what conditions leave out of cel-spec', () => {
  for (const { section, reason } of OUT_OF_SCOPE) {
    it(`is still needed: ${section} (${reason})`, () => {
      const left = tests.filter(([path]) => exclusionOf(path) === section);
      assert.ok(left.length > 0, 'there is no such section');
      const failing = left.filter(([, test]) => problemOf(test) !== undefined);
      assert.ok(failing.length > 0, 'all of it passes: remove it from the table');
    });
  }

  it('is documented', () => {
    const readme = readFileSync(new URL('../../../activities/attestation/README.md', import.meta.url), 'utf8');
    for (const { reason } of OUT_OF_SCOPE) assert.ok(readme.includes(`| ${reason} |`), reason);
  });

  it('is less than half', () => {
    const left = tests.filter(([path]) => exclusionOf(path) !== undefined).length;
    assert.ok(left < tests.length / 2, `${left} of ${tests.length}`);
  });
});

/** The longest entry that a test falls under. */
function exclusionOf(path: string): string | undefined {
  return OUT_OF_SCOPE.map(({ section }) => section)
    .filter((section) => path === section || path.startsWith(`${section}/`))
    .sort((left, right) => right.length - left.length)[0];
}

/** What is wrong with the answer; `undefined` when it is the wanted one. */
function problemOf({ original }: IncrementalTest): string | undefined {
  const wanted = wantedOf(original);
  let found: string;
  try {
    const value = planExpression(environment, original.expr)(bindingsOf(original));
    found = isCelError(value) ? 'error' : `${celType(value).name} ${written(value)}`;
  } catch {
    found = 'error';
  }
  return found === wanted ? undefined : `${original.expr}: expected ${wanted}, found ${found}`;
}

function* flatten(suite: Suite, path: readonly string[]): Generator<readonly [string, IncrementalTest]> {
  for (const test of suite.tests) yield [[...path, test.name].join('/'), test];
  for (const inner of suite.suites) yield* flatten(inner, [...path, inner.name]);
}
