import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nameWithoutDigest, parseName } from '../../../workflows/format/name.ts';
import { type Glob, globMatches, parseGlob } from '../../../workflows/policy/glob.ts';
import { canMatch, canonicalGlob, shareRepository } from '../../../workflows/policy/glob-language.ts';

const glob = (text: string): Glob => parseGlob(text) ?? assert.fail(text);

const DEAD: Readonly<Record<string, string | undefined>> = {
  'registry-1.docker.io/acme/**': 'docker.io/acme/**',
  'registry.hub.docker.com/acme/app:v*': 'docker.io/acme/app:v*',
  'docker.io/alpine*': 'docker.io/library/alpine*',
  'index.docker.io/alpine:3': 'docker.io/library/alpine:3',
  'docker.io/*': 'docker.io/library/*',
  'LOCALHOST:5000/**': 'localhost:5000/**',
  'localhost:05000/prod/**': 'localhost:5000/prod/**',
  'Registry.example.:0443/App:V*': 'registry.example/app:V*',
  'registry.example:443/**': 'registry.example/**',
  '[0:0::1]:5000/**': '[::1]:5000/**',
  '[::ffff:127.0.0.1]:5000/**': '127.0.0.1:5000/**',
  '*.Example/app': '*.example/app',
  'Acme/app': 'docker.io/acme/app',
  'ghcr.io/acme//app': 'ghcr.io/acme/app',
  'ghcr.io/acme/app/': 'ghcr.io/acme/app',
  'ghcr.io/': undefined,
  'ghcr.io/acme/../app': undefined,
  'ghcr.io/acme/app:v1/x': undefined,
  'ghcr.io/acme/app:v1:v2': undefined,
  'ghcr.io/acme/-app': undefined,
  'ghcr.io/acme/app:-v': undefined,
  '0x7f.1/**': undefined,
  '127.1:5000/**': undefined,
  'registry.example:0/**': undefined,
};

for (const [text, instead] of Object.entries(DEAD)) {
  test(`no name can match ${text}`, () => {
    assert.equal(canMatch(glob(text)), false);
    assert.equal(canonicalGlob(glob(text)), instead);
  });
}

test('globs of every usual form can match', () => {
  const usual = [
    '**',
    '*',
    '*/*',
    '*/**',
    'ghcr.io/**',
    'ghcr.io/acme/app',
    'ghcr.io/*/app:v*',
    '**demo**',
    '**:V1',
    '**V1',
  ];
  const hosts = [
    '*.example/**',
    '127.0.0.1:*/free/**',
    '127.0.0.1:5000/**',
    '[::1]:5000/**',
    '[2001:db8::a]/x',
    'node:443/x',
  ];
  const hub = [
    'index.docker.io/**',
    'docker.io/alpine**',
    'docker.io/library/alpine*',
    'alpine',
    'alpine:3.22',
    'acme/**',
  ];
  for (const text of [...usual, ...hosts, ...hub]) assert.equal(canMatch(glob(text)), true, text);
});

test('a glob that matches any name is never taken for a dead one', () => {
  const host = fc.constantFrom(
    'ghcr.io',
    'localhost:5000',
    'docker.io',
    'index.docker.io',
    '[::1]:80',
    '*',
    '**',
    'g*',
    'acme',
  );
  const piece = fc.constantFrom('*', '**', '/', 'a', 'A', '.', '_', '-', ':', 'v1', 'app');
  const pattern = fc
    .tuple(host, fc.array(piece, { minLength: 1, maxLength: 7 }))
    .map(([first, rest]) => `${first}/${rest.join('')}`);
  const part = fc.constantFrom('a', 'app', 'v1', 'a.app', 'a-a', 'a_v1');
  const registry = fc.constantFrom('ghcr.io', 'localhost:5000', 'docker.io', '[::1]:80', 'g.io');
  const label = fc.constantFrom('', ':a', ':A', ':v1', ':a.A-v1');
  const names = fc
    .tuple(registry, fc.array(part, { minLength: 1, maxLength: 3 }), label)
    .map(([first, parts, tag]) => `${first}/${parts.join('/')}${tag}`);
  let matched = 0;
  fc.assert(
    fc.property(pattern, fc.array(names, { minLength: 20, maxLength: 20 }), (text, all) => {
      const parsed = parseGlob(text);
      if (parsed === undefined) return;
      const found = all.find((name) => globMatches(parsed, name));
      if (found === undefined) return;
      matched++;
      assert.equal(canMatch(parsed), true, `${text} ${found}`);
    }),
    { numRuns: 3_000 },
  );
  assert.ok(matched > 100, `${matched}`);
});

test('a glob without stars can match exactly when it is a name in its one spelling', () => {
  const text = fc
    .tuple(
      fc.constantFrom(
        'ghcr.io',
        'GHCR.io',
        'localhost:5000',
        'localhost:443',
        'docker.io',
        'a.b:080',
        '[::1]',
        '[0::1]',
      ),
      fc.array(fc.constantFrom('a', 'B', '.', '-', '_', '/', ':', 'c9'), { minLength: 1, maxLength: 6 }),
    )
    .map(([first, rest]) => `${first}/${rest.join('')}`);
  fc.assert(
    fc.property(text, (one) => {
      const name = parseName(one);
      const isCanonical = name !== undefined && nameWithoutDigest(name) === one;
      // Separators are told apart by kind alone, so some names outside the grammar are taken for possible.
      if (isCanonical) assert.equal(canMatch(glob(one)), true, one);
      else if (name !== undefined) assert.equal(canMatch(glob(one)), false, one);
    }),
    { numRuns: 3_000 },
  );
});

test('two globs share a repository when a name without a tag is matched by both', () => {
  const share = (a: string, b: string) => shareRepository(glob(a), glob(b));
  assert.equal(share('ghcr.io/acme/app', '**'), true);
  assert.equal(share('ghcr.io/*/app', 'ghcr.io/acme/**'), true);
  assert.equal(share('alpine', 'docker.io/**'), true);
  assert.equal(share('index.docker.io/library/alpine', 'docker.io/library/*'), true);
  assert.equal(share('ghcr.io/*/app', 'ghcr.io/acme/b*'), false);
  assert.equal(share('ghcr.io/acme/app', 'ghcr.io/acme/app:v1'), false);
  assert.equal(share('ghcr.io/acme/app', 'quay.io/**'), false);
});
