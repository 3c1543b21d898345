import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Glob, parseGlob } from '../../../workflows/policy/glob.ts';
import { selectPolicies } from '../../../workflows/policy/selection.ts';

function policy(name: string, globs: readonly string[], authorities: readonly string[] = ['a']) {
  const images = globs.map((text): Glob => parseGlob(text) ?? assert.fail(text));
  return { name, images, authorities: authorities.map((one) => ({ name: one })) };
}

test('every policy with a matching glob is selected, with all its authorities', () => {
  const policies = [
    policy('all', ['**']),
    policy('two', ['quay.io/**', 'ghcr.io/x:*'], ['a', 'b']),
    policy('other', ['quay.io/**']),
  ];
  assert.deepEqual(selectPolicies(policies, 'ghcr.io/x:v1'), {
    loaded: 3,
    matching: [
      { name: 'all', authorities: [{ policy: 'all', authority: 'a' }] },
      {
        name: 'two',
        authorities: [
          { policy: 'two', authority: 'a' },
          { policy: 'two', authority: 'b' },
        ],
      },
    ],
  });
});

test('no policy, none that matches and a name outside the grammar select nothing', () => {
  assert.deepEqual(selectPolicies([], 'ghcr.io/x:v1'), { loaded: 0, matching: [] });
  assert.deepEqual(selectPolicies([policy('p', ['quay.io/**'])], 'ghcr.io/x:v1'), { loaded: 1, matching: [] });
  assert.deepEqual(selectPolicies([policy('p', ['**'])], '../x'), { loaded: 1, matching: [] });
});
