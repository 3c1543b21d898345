import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseNextLink } from '../../../activities/http/link.ts';
import { parseRetryAfter } from '../../../activities/http/retry-after.ts';
import { parseChallenges } from '../../../activities/registry/authorization/challenge.ts';

test('a bearer challenge gives realm and service', () => {
  assert.deepEqual(
    parseChallenges('Bearer realm="https://auth.example/token",service="r.example",scope="repository:a:pull"'),
    [{ scheme: 'bearer', realm: 'https://auth.example/token', service: 'r.example' }],
  );
});

test('several challenges in one header are told apart', () => {
  assert.deepEqual(parseChallenges('Negotiate, Basic realm="x, y=z", bearer realm=t , service="a\\"b"'), [
    { scheme: 'basic' },
    { scheme: 'bearer', realm: 't', service: 'a"b' },
  ]);
});

test('a challenge outside the grammar is refused as a whole', () => {
  for (const header of [
    'Bearer realm="open',
    'Bearer realm="a" service="b"',
    'Bearer realm=',
    '"quoted"',
    '=',
    'Basic \u0000',
    'Bearer realm="a",realm="b"',
    `Bearer realm="${'x'.repeat(9000)}"`,
  ]) {
    assert.equal(parseChallenges(header), undefined, header.slice(0, 60));
  }
});

test('a bearer challenge without realm is no challenge', () => {
  assert.deepEqual(parseChallenges('Bearer service="x"'), []);
});

test('challenges survive any realm that is quoted properly', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (realm, service) => {
      const quote = (text: string) => `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
      fc.pre(!/[\n\r\u2028\u2029]/.test(realm + service));
      const header = `Basic realm="a", Bearer realm=${quote(realm)},service=${quote(service)}`;
      assert.deepEqual(parseChallenges(header), [{ scheme: 'basic' }, { scheme: 'bearer', realm, service }]);
    }),
  );
});

test('no header makes a parser throw, and what is found is within its type', () => {
  const hostile = fc.oneof(fc.string(), fc.stringMatching(/^[ ,;="<>\\a-z/:]*$/));
  fc.assert(
    fc.property(hostile, (header) => {
      for (const challenge of parseChallenges(header) ?? []) assert.match(challenge.scheme, /^(basic|bearer)$/);
      assert.match(parseNextLink(header).kind, /^(last|next|malformed)$/);
      const wait = parseRetryAfter(header, 0);
      assert.ok(wait === undefined || (wait >= 0 && wait <= 600_000));
    }),
    { numRuns: 500 },
  );
});

test('the next page is found among other links', () => {
  const header = '</a,b?x="1>; rel="prev"; title="a, <b>", </v2/c?n=1&last=x>; foo; rel="last next"';
  assert.deepEqual(parseNextLink(header), { kind: 'next', target: '/v2/c?n=1&last=x' });
  assert.deepEqual(parseNextLink('</v2/c>; rel=next'), { kind: 'next', target: '/v2/c' });
});

test('no next page is told apart from a header that can not be read', () => {
  assert.deepEqual(parseNextLink(null), { kind: 'last' });
  assert.deepEqual(parseNextLink('</a>; rel="prev"'), { kind: 'last' });
  assert.deepEqual(parseNextLink('/v2/c; rel="next"'), { kind: 'malformed' });
  assert.deepEqual(parseNextLink('</v2/c; rel="next"'), { kind: 'malformed' });
  assert.deepEqual(parseNextLink('</v2/c> rel="next"'), { kind: 'malformed' });
});

test('Retry-After is read as seconds or as a date, and bounded', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  assert.equal(parseRetryAfter('7', now), 7000);
  assert.equal(parseRetryAfter('0', now), 0);
  assert.equal(parseRetryAfter('9999999999', now), 600_000);
  assert.equal(parseRetryAfter('Thu, 01 Jan 2026 00:00:30 GMT', now), 30_000);
  assert.equal(parseRetryAfter('Thu, 01 Jan 2015 00:00:30 GMT', now), 0);
  assert.equal(parseRetryAfter('Thu, 01 Jan 2099 00:00:30 GMT', now), 600_000);
});

test('a Retry-After of another form is left out', () => {
  for (const value of [null, '', '-1', '1.5', '1e3', 'soon', '2026-01-01', 'Thu, 99 Foo 2026 00:00:30 GMT']) {
    assert.equal(parseRetryAfter(value, 0), undefined, String(value));
  }
});
