import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Glob, parseGlob } from '../../../workflows/policy/glob.ts';
import { selectPolicies } from '../../../workflows/policy/selection.ts';

function policy(name: string, globs: readonly string[], authorities: readonly string[] = ['a']) {
  const images = globs.map((text): Glob => parseGlob(text) ?? assert.fail(text));
  const rule = {
    signer: { kind: 'key' },
    log: undefined,
    sources: [],
    coversIndexChildren: false,
    newestAttestation: false,
  } as const;
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
  const rule = { log: { mode: 'consistency' }, coversIndexChildren: true, newestAttestation: false } as const;
  const keyless = {
    name: 'ci',
    signer: { kind: 'keyless' },
    ...rule,
    sources: [{ repository: 'ghcr.io/signatures' }],
  } as const;
  const nobody = { name: 'nobody', signer: { kind: 'static', action: 'fail', message: 'not here' } } as const;
  const authorities = [
    keyless,
    { ...nobody, log: undefined, sources: [], coversIndexChildren: false, newestAttestation: false },
  ];
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

/** The policies that have to be satisfied, with what makes those apply that do not match the name itself. */
function applied(policies: readonly ReturnType<typeof policy>[], name: string) {
  const { matching, near } = selectPolicies(policies, name);
  const names = matching.map((one) => (one.near === undefined ? one.name : `${one.name} by ${one.near.by}`));
  return { names, near: near?.map((one) => `${one.policy} by ${one.by} ${one.glob}`) };
}

test('the author of a pod gets no more lenient policy by leaving the tag out', () => {
  const perTag = [policy('dev', ['ghcr.io/acme/app:latest']), policy('release', ['ghcr.io/acme/app:v*'])];
  assert.deepEqual(applied(perTag, 'ghcr.io/acme/app:v1').names, ['release']);
  const hints = ['dev by tag ghcr.io/acme/app:latest', 'release by tag ghcr.io/acme/app:v*'];
  assert.deepEqual(applied(perTag, 'ghcr.io/acme/app'), { names: [], near: hints });
  const broad = [...perTag, policy('weak', ['ghcr.io/**'])];
  assert.deepEqual(applied(broad, 'ghcr.io/acme/app').names, ['dev by tag', 'release by tag', 'weak']);
  assert.deepEqual(applied(broad, 'ghcr.io/acme/app:v1').names, ['release', 'weak']);
  assert.deepEqual(applied(broad, 'ghcr.io/acme/other').names, ['weak']);
});

test('a policy that covers every tag covers a name without one', () => {
  const policies = [policy('all', ['ghcr.io/acme/app:**']), policy('release', ['ghcr.io/acme/app:v*'])];
  assert.deepEqual(applied(policies, 'ghcr.io/acme/app').names, ['all', 'release by tag']);
});

test('another name of a loopback host, and port 80 beside none, avoid no policy and open no gate', () => {
  const strict = [policy('strict', ['127.0.0.1:5000/prod/**', 'registry.example/prod/**'])];
  const both = [...strict, policy('weak', ['**'])];
  for (const registry of ['localhost:5000', '[::1]:5000', 'registry.example:80']) {
    assert.deepEqual(applied(both, `${registry}/prod/app:v1`).names, ['strict by host', 'weak'], registry);
    const [near] = applied(strict, `${registry}/prod/app:v1`).near ?? [];
    assert.match(near ?? '', /^strict by host (?:127\.0\.0\.1:5000|registry\.example)\/prod/, registry);
    assert.deepEqual(applied(strict, `${registry}/prod/app:v1`).names, [], registry);
  }
  assert.deepEqual(applied(both, '127.0.0.1:5000/prod/app:v1').names, ['strict', 'weak']);
  assert.deepEqual(applied(both, 'registry.example:5000/prod/app:v1').names, ['weak']);
});

test('a name of a loopback host without a tag stays under a policy that names another one and tags', () => {
  const policies = [policy('strict', ['127.0.0.1:5000/prod/app:v*']), policy('weak', ['**'])];
  assert.deepEqual(applied(policies, 'localhost:5000/prod/app').names, ['strict by host', 'weak']);
});

test('a policy about any name of loopback is about all of them', () => {
  const registries = [
    'localhost',
    '127.0.0.1',
    '[::1]',
    '127.9.9.9',
    '0.0.0.0',
    '[::]',
    'registry.localhost',
    'ip6-localhost',
  ];
  for (const strict of registries) {
    const policies = [policy('strict', [`${strict}:5000/prod/app:v*`]), policy('weak', ['**'])];
    for (const registry of registries) {
      const expected = strict === registry ? 'strict' : 'strict by host';
      assert.deepEqual(
        applied(policies, `${registry}:5000/prod/app:v1`).names,
        [expected, 'weak'],
        `${strict} ${registry}`,
      );
      assert.deepEqual(applied(policies, `${registry}:5001/prod/app:v1`).names, ['weak'], `${strict} ${registry}`);
    }
    assert.deepEqual(applied(policies, 'registry.example:5000/prod/app:v1').names, ['weak'], strict);
  }
});
