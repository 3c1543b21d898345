import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ExpectedImage, SignedIdentity } from '../../../activities/sigstore/judgement.ts';
import { type Glob, parseGlob } from '../../../workflows/policy/glob.ts';
import { cosignBundle, cosignPayload, createSigningKey, signSimple } from '../../support/signer.ts';
import { digestOf } from '../../support/verdicts.ts';
import { DIGEST, goodKey, REPOSITORY, verdictOf } from './verdict-of.ts';

const signer = createSigningKey('ECDSA P-256');
const key = goodKey(signer.publicPem);

const glob = (text: string): Glob => parseGlob(text) ?? assert.fail(text);
const ANY_TAG = { kind: 'repository' } as const;
const exact = (tag: string | undefined) => ({ kind: 'exact', tag }) as const;

function judged(reference: string, identity: Partial<SignedIdentity>): string {
  const expected: ExpectedImage = {
    ...{ digest: DIGEST, repository: REPOSITORY },
    identity: { signedAs: [], reference: ANY_TAG, ...identity },
  };
  return verdictOf(signSimple(signer, cosignPayload(DIGEST, reference)), key, expected);
}

describe('the reference that a signature names', () => {
  const signedAs = ['docker.io/library/alpine', 'ghcr.io/acme/**', '[::1]:5000/a/*'].map(glob);
  for (const reference of [
    REPOSITORY,
    `${REPOSITORY}:v1`,
    'alpine',
    'index.docker.io/library/alpine:3',
    'ghcr.io/acme/app',
    'GHCR.io:443/acme/deep/app:v1',
    `ghcr.io/acme/app:v1@${DIGEST}`,
    '[0:0::1]:5000/a/b',
  ]) {
    it(`may be ${reference}`, () => assert.equal(judged(reference, { signedAs }), 'valid'));
  }

  for (const reference of [
    'docker.io/library/alpine2',
    'docker.io/someone/alpine',
    'ghcr.io/acme',
    'ghcr.io/acme2/app',
    'ghcr.io.evil.example/acme/app',
    'evil.example/ghcr.io/acme/app',
    'ghcr.io:5000/acme/app',
    'ghcr.io/acme/../evil/app',
    'ghcr.io/acme/App',
    '[::1]:5000/a/b/c',
    '',
    '**',
    'ghcr.io/acme/**',
  ]) {
    it(`may not be ${JSON.stringify(reference)}`, () => {
      const sentence = `REPOSITORY_MISMATCH: the signature is for another repository: expected ${REPOSITORY} or "docker.io/library/alpine" or 2 others (signedAs), it names ${JSON.stringify(reference)}`;
      assert.equal(judged(reference, { signedAs }), sentence);
    });
  }

  it('is of the digest that is pulled, whatever it is signed as', () => {
    const other = digestOf('00');
    const expected: ExpectedImage = {
      ...{ digest: DIGEST, repository: REPOSITORY },
      identity: { signedAs, reference: ANY_TAG },
    };
    assert.match(verdictOf(signSimple(signer, cosignPayload(other, 'alpine')), key, expected), /^SUBJECT_MISMATCH: /);
  });

  it('is compared with its tag where the policy requires the exact one', () => {
    const wants = (tag: string | undefined) => ({ signedAs, reference: exact(tag) });
    const ok = [`${REPOSITORY}:v1`, 'alpine:v1', `ghcr.io/acme/app:v1@${DIGEST}`];
    for (const reference of ok) assert.equal(judged(reference, wants('v1')), 'valid', reference);
    const another = /^REFERENCE_MISMATCH: the signature is for another reference: expected the tag "v1", it names "/;
    for (const tag of ['v2', 'V1', 'v1.0', 'v']) assert.match(judged(`${REPOSITORY}:${tag}`, wants('v1')), another);
    assert.match(judged(`ghcr.io/acme/app:v1@sha256:${'0'.repeat(64)}`, wants('v1')), another);
    assert.match(judged(REPOSITORY, wants('v1')), /it names "registry\.example\/team\/app", which has no tag$/);
    assert.match(judged(`${REPOSITORY}@${DIGEST}`, wants('v1')), /which has no tag$/);
    const untagged = /^REFERENCE_MISMATCH: the image is pulled without a tag, .*; pull it by its tag$/;
    for (const reference of [REPOSITORY, `${REPOSITORY}:v1`])
      assert.match(judged(reference, wants(undefined)), untagged);
    assert.match(judged('evil.example/app:v1', wants('v1')), /^REPOSITORY_MISMATCH: /);
  });

  it('is not in a bundle, which is refused where the policy requires the exact one', () => {
    const bundle = { format: 'bundle', bundle: cosignBundle(signer, DIGEST) } as const;
    const by = (reference: SignedIdentity['reference']) =>
      verdictOf(bundle, key, { digest: DIGEST, repository: REPOSITORY, identity: { signedAs: [], reference } });
    assert.equal(by(ANY_TAG), 'valid');
    assert.match(
      by(exact('v1')),
      /^REFERENCE_MISMATCH: the signature is a bundle, which names no reference, .*; sign in /,
    );
  });
});
