import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Glob, parseGlob } from '../../../workflows/policy/glob.ts';
import { selectPolicies } from '../../../workflows/policy/selection.ts';

function policy(name: string, globs: readonly string[], authorities: readonly string[] = ['a']) {
  const images = globs.map((text): Glob => parseGlob(text) ?? assert.fail(text));
  const rule = { signer: { kind: 'key' }, log: undefined, sources: [], coversIndexChildren: false } as const;
  return { name, images, mode: 'enforce', authorities: authorities.map((one) => ({ name: one, ...rule })) } as const;
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
      { name: 'all', mode: 'enforce', authorities: [{ policy: 'all', authority: 'a', sources: [{}] }] },
      {
        name: 'two',
        mode: 'enforce',
        authorities: [
          { policy: 'two', authority: 'a', sources: [{}] },
          { policy: 'two', authority: 'b', sources: [{}] },
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

test('a matching authority tells which steps it takes, and nothing of what it trusts', () => {
  const { images } = policy('p', ['**']);
  const rule = { log: { mode: 'consistency' }, coversIndexChildren: true } as const;
  const keyless = {
    name: 'ci',
    signer: { kind: 'keyless' },
    ...rule,
    sources: [{ repository: 'ghcr.io/signatures' }],
  } as const;
  const nobody = { name: 'nobody', signer: { kind: 'static', action: 'fail', message: 'not here' } } as const;
  const authorities = [keyless, { ...nobody, log: undefined, sources: [], coversIndexChildren: false }];
  const { matching } = selectPolicies([{ name: 'p', images, mode: 'warn', authorities }], 'ghcr.io/x:v1');
  const sources = [{ repository: 'ghcr.io/signatures', coversIndexChildren: true }];
  assert.deepEqual(matching, [
    {
      name: 'p',
      mode: 'warn',
      authorities: [
        { policy: 'p', authority: 'ci', log: 'consistency', sources },
        { policy: 'p', authority: 'nobody', static: { action: 'fail', message: 'not here' }, sources: [] },
      ],
    },
  ]);
});
