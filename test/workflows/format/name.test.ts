import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { nameWithoutDigest, parseName, repositoryOf } from '../../../workflows/format/name.ts';

const DIGEST = `sha256:${'ab'.repeat(32)}`;

describe('parseName', () => {
  const accepted = [
    ['alpine', 'docker.io/library/alpine'],
    ['alpine:3.22', 'docker.io/library/alpine:3.22'],
    ['bitnami/redis', 'docker.io/bitnami/redis'],
    ['index.docker.io/library/alpine:3.22', 'docker.io/library/alpine:3.22'],
    ['docker.io/alpine', 'docker.io/library/alpine'],
    ['localhost/app', 'localhost/app'],
    ['127.0.0.1:5000/demo/app:signed', '127.0.0.1:5000/demo/app:signed'],
    [`ghcr.io/acme/app@${DIGEST}`, 'ghcr.io/acme/app'],
    [`ghcr.io/acme/app:v1@${DIGEST}`, 'ghcr.io/acme/app:v1'],
    ['[::1]:5000/app', '[::1]:5000/app'],
    ['registry.example.com/a/b_c/d--e.f', 'registry.example.com/a/b_c/d--e.f'],
  ] as const;
  for (const [text, expected] of accepted) {
    it(`reads ${text}`, () => {
      const name = parseName(text);
      assert.ok(name);
      assert.equal(nameWithoutDigest(name), expected);
    });
  }

  it('keeps the digest', () => {
    assert.equal(parseName(`ghcr.io/acme/app@${DIGEST}`)?.digest, DIGEST);
  });

  const refused = [
    '',
    ' alpine',
    'Alpine',
    'alpine:',
    'alpine:-x',
    'alpine@',
    'alpine@sha256:abc',
    `alpine@${DIGEST.toUpperCase()}`,
    `alpine@sha512:${'ab'.repeat(64)}`,
    `alpine@${DIGEST}@${DIGEST}`,
    'ghcr.io/',
    'ghcr.io//app',
    '/app',
    'ghcr.io/../app',
    'ghcr.io/app/..',
    'user:secret@ghcr.io/app',
    'https://ghcr.io/app',
    'ghcr.io:99999999/app',
    'ghcr.io/app\n',
    'ghcr.io/app\u0000',
    'ghcr.io/äpp',
    `ghcr.io/${'a'.repeat(256)}`,
    `a${'/a'.repeat(400)}`,
    `alpine:${'x'.repeat(129)}`,
  ];
  for (const text of refused) {
    it(`refuses ${JSON.stringify(text.slice(0, 60))}`, () => assert.equal(parseName(text), undefined));
  }

  it('never throws, and what it reads it reads again the same', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const name = parseName(text);
        if (name === undefined) return;
        const again = parseName(nameWithoutDigest(name));
        assert.ok(again);
        assert.equal(repositoryOf(again), repositoryOf(name));
        assert.equal(again.tag, name.tag);
      }),
    );
  });
});
