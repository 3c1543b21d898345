import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { expectedImage } from '../../../activities/authority/expected-image.ts';
import { digestOf } from '../../support/verdicts.ts';
import { authorityWith, demandFiles, problemsWith } from './demands.ts';
import { authorityOf, KEYLESS, type Parts, policyDocument, publicKeyPem, setOf } from './policy-directory.ts';

const KEY: Parts = { key: { data: publicKeyPem() } };
const DIGEST = digestOf('ab');
const as = (...items: readonly unknown[]): Parts => ({ signedAs: items });

describe('the repositories under which an image may have been signed', () => {
  it('are its own alone, with any tag, unless a document says more', async (t) => {
    const { signedAs, signedReference } = await authorityOf(t, KEY);
    assert.deepEqual([signedAs, signedReference], [[], 'repository']);
    const expected = expectedImage({ signedAs, signedReference }, 'registry.example/app:v1', DIGEST);
    assert.deepEqual(expected, {
      ...{ digest: DIGEST, repository: 'registry.example/app' },
      identity: { signedAs: [], reference: { kind: 'repository' } },
    });
  });

  it('are listed one by one in their canonical form, and by globs', async (t) => {
    const demand = as(
      { repository: 'alpine' },
      { repository: 'REGISTRY.example:443/team/app' },
      { repository: '[::1]:5000/app' },
      { glob: 'docker.io/acme/**' },
      { glob: 'registry.example:5000/a*/b' },
    );
    const authority = await authorityWith(t, KEY, demand);
    assert.deepEqual(expectedImage(authority, 'mirror.example/app', DIGEST).identity?.signedAs, [
      'docker.io/library/alpine',
      'registry.example/team/app',
      '[::1]:5000/app',
      'docker.io/acme/**',
      'registry.example:5000/a*/b',
    ]);
  });

  const MIRRORS: readonly (readonly [string, string, string, string | undefined])[] = [
    ['mirror.example', 'docker.io', 'mirror.example/library/alpine:3', 'docker.io/library/alpine'],
    ['mirror.example/hub', 'docker.io', 'mirror.example/hub/alpine', 'docker.io/library/alpine'],
    ['mirror.example/hub', 'docker.io/acme', 'mirror.example/hub/app', 'docker.io/acme/app'],
    ['mirror.example/hub', 'ghcr.io', 'mirror.example/hub/acme/app', 'ghcr.io/acme/app'],
    ['mirror.example/hub/acme/app', 'ghcr.io/acme/app', 'mirror.example/hub/acme/app:v1', 'ghcr.io/acme/app'],
    ['MIRROR.example:443/hub', 'GHCR.io', 'mirror.example/hub/acme/app', 'ghcr.io/acme/app'],
    ['mirror.example/hub', 'ghcr.io', 'mirror.example/hubble/app', undefined],
    ['mirror.example/hub', 'ghcr.io', 'other.example/hub/app', undefined],
    ['mirror.example/hub/app', 'ghcr.io', 'mirror.example/hub/app', undefined],
    ['mirror.example/hub/app', 'docker.io', 'mirror.example/hub/app', undefined],
    ['mirror.example', 'ghcr.io', 'mirror.example:5000/app', undefined],
  ];
  for (const [prefix, signedPrefix, name, expected] of MIRRORS) {
    it(`of ${name} with ${signedPrefix} for ${prefix}: ${expected ?? 'none'}`, async (t) => {
      const authority = await authorityWith(t, KEY, as({ prefix, signedPrefix }));
      const { identity } = expectedImage(authority, name, DIGEST);
      assert.deepEqual(identity?.signedAs, expected === undefined ? [] : [expected]);
    });
  }

  it('change the revision, and the tag is asked for where a document says so', async (t) => {
    const hash = async (demand: Parts) =>
      (await setOf(t, { 'demo.yaml': policyDocument([KEY]), ...demandFiles([demand]) })).contentHash;
    const one = as({ repository: 'ghcr.io/acme/app' });
    assert.notEqual(await hash(one), await hash(as({ repository: 'ghcr.io/acme/app2' })));
    assert.notEqual(await hash(one), await hash({ ...one, signedReference: 'exact' }));
    const exact = await authorityWith(t, KEY, { signedReference: 'exact' });
    const reference = (name: string) => expectedImage(exact, name, DIGEST).identity?.reference;
    assert.deepEqual(reference('registry.example/app:v1'), { kind: 'exact', tag: 'v1' });
    assert.deepEqual(reference('registry.example/app'), { kind: 'exact', tag: undefined });
    const both = await authorityWith(t, KEY, one, { signedReference: 'exact' });
    assert.deepEqual([both.signedAs.length, both.signedReference], [1, 'exact']);
  });

  const REFUSED: readonly (readonly [string, unknown, RegExp])[] = [
    [
      'everything',
      { glob: '**' },
      /expected a glob that begins with a registry, found "\*\*"; write each registry without/,
    ],
    ['every registry', { glob: '**/app' }, /expected a glob that begins with a registry/],
    ['Docker Hub without its name', { glob: '*' }, /expected a glob that begins with a registry/],
    ['a star in a registry', { glob: '*.example/app' }, /expected a glob that begins with a registry/],
    ['a star at the end of a registry', { glob: 'registry.example*/app' }, /begins with a registry/],
    ['a short name', { glob: 'acme/**' }, /expected a glob that begins with a registry/],
    [
      'a glob with tags',
      { glob: 'ghcr.io/acme/app:v*' },
      /without tags, found "ghcr\.io\/acme\/app:v\*"; remove the tag/,
    ],
    ['a dead glob', { glob: 'GHCR.io/acme/**' }, /expected a glob that some image name matches.*write "ghcr\.io\/acme/],
    ['a glob with a digest', { glob: 'ghcr.io/acme/app@sha256:*' }, /expected a name without a digest/],
    ['a glob as a repository', { repository: 'ghcr.io/acme/*' }, /write glob in place of repository/],
    ['a tag', { repository: 'ghcr.io/acme/app:v1' }, /expected registry\/repository without tag or digest/],
    ['a digest', { repository: `ghcr.io/acme/app@${DIGEST}` }, /expected registry\/repository without tag or digest/],
    ['no name', { repository: 'ghcr.io/acme/app ' }, /expected registry\/repository without tag or digest/],
    [
      'a plain text',
      'ghcr.io/acme/app',
      /expected repository, glob, or prefix with signedPrefix, found a string; write "- repository: /,
    ],
    ['nothing', {}, /expected one of repository, glob, or prefix with signedPrefix, found neither of them/],
    [
      'two forms',
      { repository: 'ghcr.io/a/b', glob: 'ghcr.io/**' },
      /found repository and glob; write each into an item/,
    ],
    ['half a mirror', { prefix: 'mirror.example' }, /signedPrefix: expected a value, found no such field/],
    ['the other half', { signedPrefix: 'ghcr.io' }, /found neither of them/],
    [
      'a mirror of itself',
      { prefix: 'ghcr.io/a', signedPrefix: 'GHCR.io/a' },
      /expected another prefix than "ghcr\.io\/a"/,
    ],
    [
      'a signed prefix beside a repository',
      { repository: 'ghcr.io/a/b', signedPrefix: 'ghcr.io' },
      /beside repository; remove it/,
    ],
    ['an empty prefix', { prefix: '', signedPrefix: 'ghcr.io' }, /prefix: expected a string, found an empty one/],
    [
      'a prefix with a star',
      { prefix: 'mirror.example/*', signedPrefix: 'ghcr.io' },
      /expected a registry, or a registry with/,
    ],
    ['a prefix with a slash', { prefix: 'mirror.example/', signedPrefix: 'ghcr.io' }, /without a slash at its end/],
    ['a prefix with a tag', { prefix: 'mirror.example/a:v1', signedPrefix: 'ghcr.io' }, /expected a registry, or/],
    ['a prefix without a registry', { prefix: 'mirror', signedPrefix: 'ghcr.io' }, /expected a registry, or/],
    ['an unknown field', { repo: 'ghcr.io/a/b' }, /found the unknown field "repo"/],
  ];
  for (const [what, item, expected] of REFUSED) {
    it(`are not ${what}`, async (t) => {
      const problems = await problemsWith(t, KEY, as(item));
      assert.match(problems, expected);
      assert.match(problems, /^m0\.yaml:1:\d+ spec\.signedAs\[0\]/);
    });
  }

  it('are not asked of evidence that names none, nor in two documents, nor without end', async (t) => {
    const one = as({ repository: 'ghcr.io/acme/app' });
    for (const demand of [one, { signedReference: 'exact' }] as const) {
      const attested = { ...KEY, attestations: [{ name: 'scan', predicateType: 'vuln' }] };
      assert.match(await problemsWith(t, attested, demand), /without attestations, which name no repository/);
      const bundles = { keyless: KEYLESS, signatureFormat: 'bundle' };
      assert.match(await problemsWith(t, bundles, demand), /found bundle, which names no repository; remove it/);
      const fixed = { static: { action: 'pass' } };
      assert.match(await problemsWith(t, fixed, demand), /expected an authority that looks at evidence/);
    }
    assert.match(await problemsWith(t, KEY, one, one), /expected signedAs in one document, found it in two/);
    assert.match(await problemsWith(t, KEY, as()), /expected at least one item, found none/);
    const many = Array.from({ length: 51 }, (_, i) => ({ repository: `ghcr.io/acme/app${i}` }));
    assert.match(await problemsWith(t, KEY, as(...many)), /expected at most 50 items, found 51/);
    assert.match(await problemsWith(t, KEY, { signedReference: 'repository' }), /expected exact, found "repository"/);
  });
});
