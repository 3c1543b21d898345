import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policyDocument, problemsOf } from './policy-directory.ts';

const STATIC = { static: { action: 'pass' } };

test('a glob that no image name can match is refused, with the spelling that would match', async (t) => {
  const refused = async (glob: string) => {
    const lines = await problemsOf(t, {
      'a.yaml': policyDocument([STATIC], { images: [{ glob }] }),
    });
    assert.equal(lines.length, 1, glob);
    return lines[0] ?? '';
  };
  const instead: Readonly<Record<string, string>> = {
    'registry-1.docker.io/acme/**': 'docker.io/acme/**',
    'docker.io/alpine*': 'docker.io/library/alpine*',
    'LOCALHOST:05000/prod/**': 'localhost:5000/prod/**',
    '[0:0::1]:5000/**': '[::1]:5000/**',
  };
  for (const [glob, fix] of Object.entries(instead)) {
    const line = await refused(glob);
    assert.match(line, /spec\.images\[0\]\.glob: expected a glob that some image name matches, found /, glob);
    assert.ok(line.endsWith(`; write ${JSON.stringify(fix)}`), line);
  }
  assert.match(await refused('ghcr.io/acme/app:v1/x'), /; correct it$/);
  assert.match(await refused('[::zz]/x'), /or an IPv6 address in brackets/);
  const document = policyDocument([STATIC], { images: [{ glob: '[::1]:5000/**' }] });
  assert.deepEqual(await problemsOf(t, { 'a.yaml': document }), []);
});
