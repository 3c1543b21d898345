import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseName } from '../../../workflows/format/name.ts';
import { globMatches, globMatchesTagged, MAX_GLOB_LENGTH, parseGlob } from '../../../workflows/policy/glob.ts';

function matches(text: string, name: string): boolean {
  const glob = parseGlob(text);
  return glob === undefined ? assert.fail(`not a glob: ${text}`) : globMatches(glob, name);
}

test('names and globs match as in policy-controller', () => {
  const yes: Readonly<Record<string, readonly string[]>> = {
    foo: [
      'index.docker.io/library/foo',
      'index.docker.io/library/foo:*',
      'index.docker.io/library/*',
      'index.docker.io/*/*',
      'index.docker.io/**',
      'index.docker.**',
      'inde**',
      '**',
      'foo',
      'foo*',
      '*',
    ],
    'foo:latest': [
      'index.docker.io/library/foo:latest',
      'index.docker.io/library/foo:*',
      'index.docker.io/library/*:latest',
      'foo:latest',
      'foo*',
    ],
    'myuser/myapp:latest': ['index.docker.io/myuser/myapp:latest', 'index.docker.io/myuser/*:latest', 'myuser/**'],
    'myuser/myapp': ['index.docker.io/*/*', 'myuser/myapp', 'myuser/myapp*', '*/*'],
    'ghcr.io/foo/bar': ['ghcr.io/*/*', 'ghcr.io/**', 'ghcr.io/foo/bar', 'ghcr.io/foo/bar:**', '***'],
    'ghcr.io/foo/bar:latest': ['ghcr.io/*/*', 'ghcr.io/**', 'ghcr.io/foo/bar:latest', '***'],
    'ghcr.io/foo': ['ghcr.io/**', 'ghc**', '*/**', 'ghcr.io/foo*', 'ghcr.io/foo**'],
  };
  for (const [name, globs] of Object.entries(yes)) {
    for (const glob of globs) assert.equal(matches(glob, name), true, `${glob} ${name}`);
  }
  const no: readonly (readonly [string, string])[] = [
    ['ghcr.io/*/*', 'ghcr.io/foo'],
    ['ghcr.io/foo', 'prefix-ghcr.io/foo'],
    ['ghcr.io/foo', 'ghcr.io/foo-suffix'],
    ['ghcr.io/**', 'ghcrxio/foo'],
    ['*', 'myuser/myapp'],
    ['*/*', 'foo/bar/baz'],
    ['*', 'ghcr.io/foo'],
    ['*/*', 'ghcr.io/foo'],
    ['ghcr.io/foo', 'ghcr.io/foo:v1'],
    ['ghcr.io/foo:latest', 'ghcr.io/foo:v1'],
    ['ghcr.io/foo:latest', 'ghcr.io/foo'],
    ['index.docker.io/library/foo:latest', 'foo'],
    // The beginning of a whole name, because ** may stand for a registry.
    ['foo**', 'foo'],
    ['**', 'invalid&name'],
    ['**', ''],
  ];
  for (const [glob, name] of no) assert.equal(matches(glob, name), false, `${glob} ${name}`);
});

test('what containerd calls docker.io matches policies in both spellings', () => {
  for (const name of ['docker.io/library/foo:v1', 'index.docker.io/library/foo:v1', 'foo:v1']) {
    assert.equal(matches('index.docker.io/library/foo:v1', name), true, name);
    assert.equal(matches('docker.io/library/foo:v1', name), true, name);
    assert.equal(matches('*', name), true, name);
    assert.equal(matches('quay.io/**', name), false, name);
  }
});

test('a digest in the name is left out', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  assert.equal(matches('ghcr.io/foo:v1', `ghcr.io/foo:v1@${digest}`), true);
  assert.equal(matches('ghcr.io/foo', `ghcr.io/foo@${digest}`), true);
  assert.equal(matches('ghcr.io/foo:v2', `ghcr.io/foo:v1@${digest}`), false);
});

test('a name without a tag matches no glob that names tags, and every one that covers all tags', () => {
  const match = (text: string, name: string) => {
    const glob = parseGlob(text) ?? assert.fail(text);
    const parsed = parseName(name) ?? assert.fail(name);
    return [globMatches(glob, parsed), globMatchesTagged(glob, parsed)];
  };
  const every = ['ghcr.io/app:*', 'ghcr.io/app:**', 'ghcr.io/*:**', '**:*', 'ghcr.io/app*', '**'];
  for (const glob of every) assert.deepEqual(match(glob, 'ghcr.io/app'), [true, true], glob);
  const some = ['ghcr.io/app:latest', 'ghcr.io/app:v*', 'ghcr.io/app:*-rc', 'ghcr.io/**:v1', '**p:v1', 'ghcr.io/**v1'];
  for (const glob of some) assert.deepEqual(match(glob, 'ghcr.io/app'), [false, true], glob);
  const none = ['ghcr.io/ap:v1', 'ghcr.io/app/**:v1', 'ghcr.io/app:v1/x', 'ghcr.io/apps*', 'quay.io/app:v1'];
  for (const glob of none) assert.deepEqual(match(glob, 'ghcr.io/app'), [false, false], glob);
  assert.deepEqual(match('ghcr.io/app', 'ghcr.io/app'), [true, false]);
  for (const glob of some) assert.equal(match(glob, 'ghcr.io/app:other')[1], false, glob);
});

test('an IPv6 address in brackets stands for itself', () => {
  assert.equal(matches('[::1]:5000/**', '[0:0::1]:05000/prod/app:v1'), true);
  assert.equal(matches('[2001:db8::a]/prod/*', '[2001:DB8:0::A]:443/prod/app'), true);
  assert.equal(matches('[::1]:5000/**', '[::2]:5000/prod/app'), false);
});

test('other characters and lengths are no glob', () => {
  for (const text of [
    '',
    '.+',
    '[a-z]*',
    '[::1',
    '[::1]',
    '[:::]/x',
    '**[::1]/x',
    '[fe80::1%eth0]/x',
    'a b',
    'a@sha256:b',
    '(a|b)',
    'ä',
    'a\n',
    '\\*',
    'a?',
    '{a,b}',
    '^a$',
  ]) {
    assert.equal(parseGlob(text), undefined, text);
  }
  assert.equal(parseGlob('a'.repeat(MAX_GLOB_LENGTH)), 'a'.repeat(MAX_GLOB_LENGTH));
  assert.equal(parseGlob('a'.repeat(MAX_GLOB_LENGTH + 1)), undefined);
});

test('any pattern answers as the same pattern does as a regular expression', () => {
  const piece = fc.constantFrom('*', '**', '/', 'a', 'b', '.', ':', '-');
  const tail = fc.array(fc.constantFrom('a', 'b', '/a', '.b', '-a'), { maxLength: 6 });
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 8 }), tail, (pieces, rest) => {
      const glob = `ghcr.io/${pieces.join('')}`;
      const name = `ghcr.io/a${rest.join('')}`;
      const source = glob.replaceAll('.', '\\.').replaceAll('**', '#').replaceAll('*', '[^/]*').replaceAll('#', '.*');
      const expression = new RegExp(`^${source}$`);
      // No piece holds their letters, so only what covers every tag covers these.
      const isEveryTag = ['z', 'Zy9'].every((tag) => expression.test(`${name}:${tag}`));
      const expected = expression.test(name) || isEveryTag;
      assert.equal(matches(glob, name), expected);
    }),
    { numRuns: 2000 },
  );
});

test('a pattern made to be slow takes steps x characters, not their power', () => {
  const name = `ghcr.io/${'a'.repeat(240)}`;
  assert.equal(matches(`${'**a'.repeat(170)}b`, name), false);
  assert.equal(matches(`${'*a'.repeat(255)}b`, name), false);
});
