import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { EvidenceError } from '../../../activities/evidence-error.ts';
import { DEFAULT_EVIDENCE_BYTES } from '../../../activities/limits.ts';
import { anonymous } from '../../../activities/registry/credentials/credential.ts';
import { findSignatures } from '../../../activities/registry/evidence/signatures.ts';
import { createRegistry } from '../../../activities/registry/registry.ts';
import type { Digest } from '../../../workflows/format/digest.ts';
import { allowInternal } from '../../support/loopback.ts';
import { type FakeRegistry, startFakeRegistry } from '../../support/registry.ts';
import type { Effect } from '../../support/registry-fault.ts';
import { pushBundle, pushImage } from '../../support/registry-push.ts';

allowInternal('127.0.0.0/8');

const INDEX = { 'content-type': 'application/vnd.oci.image.index.v1+json' };
let fake: FakeRegistry;
let image: Digest;
let blob: Digest;

before(async () => {
  fake = await startFakeRegistry();
  const target = { address: fake.address, repository: 'demo/app' };
  image = await pushImage(target, 'v1');
  ({ blob } = await pushBundle(target, image, Buffer.from('{"mediaType":"a bundle"}')));
});
after(() => fake.stop());

/** The error of reading signatures while requests whose path holds `where` end in `effect`. */
async function failureOf(effect: Effect, where: string, limitMs = 30_000): Promise<EvidenceError> {
  fake.setFault({ effect, matches: ({ path }) => path.includes(where) });
  const registry = createRegistry({ credentials: anonymous });
  const request = { name: `${fake.address}/demo/app:v1`, digest: image, source: {} };
  const failure: unknown = await findSignatures(registry, request, AbortSignal.timeout(limitMs)).then(
    (found) => assert.fail(`expected a failure, found ${JSON.stringify(found)}`),
    (error: unknown) => error,
  );
  fake.setFault(undefined);
  assert.ok(failure instanceof EvidenceError, String(failure));
  return failure;
}

for (const [status, code, retryable] of [
  [401, 'REGISTRY_UNAUTHORIZED', false],
  [403, 'REGISTRY_UNAUTHORIZED', false],
  [408, 'REGISTRY_ERROR', true],
  [418, 'REGISTRY_ERROR', false],
  [429, 'REGISTRY_THROTTLED', true],
  [500, 'REGISTRY_ERROR', true],
  [503, 'REGISTRY_ERROR', true],
] as const) {
  for (const where of ['/referrers/', '.sig', '/manifests/sha256:', '/blobs/']) {
    test(`${status} for ${where} is ${code}`, async () => {
      const failure = await failureOf({ kind: 'status', status, headers: { 'retry-after': '7' } }, where);
      assert.equal(failure.code, code);
      assert.equal(failure.retryable, retryable);
      assert.equal(failure.retryAfterMs, retryable ? 7000 : undefined);
    });
  }
}

test('the message says what was asked, expected and found', async () => {
  const failure = await failureOf({ kind: 'status', status: 503 }, '/referrers/');
  const expected = `GET referrers of ${fake.address}/demo/app: expected 200 or 404, got 503 (Service Unavailable)`;
  assert.equal(failure.message, expected);
});

for (const kind of ['hang', 'drip'] as const) {
  for (const where of ['/referrers/', '/manifests/sha256:', '/blobs/']) {
    test(`a ${kind} at ${where} ends at the signal`, async () => {
      const failure = await failureOf({ kind }, where, 300);
      assert.equal(failure.code, 'REGISTRY_TIMEOUT');
      assert.equal(failure.retryable, true);
    });
  }
}

test('one request has a limit of its own', async () => {
  fake.setFault({ effect: { kind: 'drip' } });
  const registry = createRegistry({ credentials: anonymous, requestTimeoutMs: 200 });
  const name = { registry: fake.address, repository: 'demo/app' };
  await assert.rejects(registry.getBlob(name, blob, AbortSignal.timeout(60_000)), { code: 'REGISTRY_TIMEOUT' });
  fake.setFault(undefined);
});

test('a connection that breaks is unreachable, at the start and in the middle', async () => {
  assert.equal((await failureOf({ kind: 'reset' }, '/blobs/')).code, 'REGISTRY_UNREACHABLE');
  assert.equal((await failureOf({ kind: 'truncate', bytes: 5 }, '/blobs/')).code, 'REGISTRY_UNREACHABLE');
  const listing = await failureOf({ kind: 'truncate', bytes: 5 }, '/referrers/');
  assert.deepEqual([listing.code, listing.retryable], ['REGISTRY_UNREACHABLE', true]);
});

test('nobody at the port is unreachable', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  await new Promise((resolve) => server.close(resolve));
  const name = { registry: `127.0.0.1:${address.port}`, repository: 'demo/app' };
  const registry = createRegistry({ credentials: anonymous });
  await assert.rejects(registry.getManifest(name, 'v1', AbortSignal.timeout(30_000)), {
    code: 'REGISTRY_UNREACHABLE',
    retryable: true,
    message: /ECONNREFUSED/,
  });
});

test('what is no HTTP is misbehaviour', async (context) => {
  const server = createServer((socket) => socket.end('SSH-2.0-OpenSSH_9.9\r\n\r\n')).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const name = { registry: `127.0.0.1:${address.port}`, repository: 'demo/app' };
  const registry = createRegistry({ credentials: anonymous });
  context.after(() => server.close());
  await assert.rejects(registry.getManifest(name, 'v1', AbortSignal.timeout(30_000)), { code: 'REGISTRY_MISBEHAVED' });
});

for (const where of ['/manifests/sha256:', '/blobs/']) {
  test(`bytes of another digest at ${where} are misbehaviour, and worth another try`, async () => {
    const failure = await failureOf({ kind: 'replace', body: Buffer.from('{"layers":[]}') }, where);
    assert.deepEqual([failure.code, failure.retryable], ['REGISTRY_MISBEHAVED', true]);
    assert.match(failure.message, /expected sha256:[0-9a-f]{64}, got 13 bytes that hash to sha256:/);
  });
}

for (const body of ['', '{', '[]', 'null', '"x"', '{"manifests":{}}', '{"schemaVersion":2}', '{"manifests":[\u0000']) {
  test(`a list of referrers that reads ${JSON.stringify(body)} is misbehaviour`, async () => {
    const failure = await failureOf({ kind: 'replace', body: Buffer.from(body), headers: INDEX }, '/referrers/');
    assert.deepEqual([failure.code, failure.retryable], ['REGISTRY_MISBEHAVED', false]);
  });
}

test('a list of referrers without end is misbehaviour', async () => {
  const failure = await failureOf({ kind: 'oversize', bytes: 64 * 1024 * 1024 }, '/referrers/');
  assert.equal(failure.code, 'REGISTRY_MISBEHAVED');
});

test('a next page by another protocol, or in a link that can not be read, is not followed', async () => {
  for (const link of ['<file:///v2/>; rel="next"', '<ftp://x>; rel=next', '</x; rel="next"']) {
    const headers = { ...INDEX, link };
    const failure = await failureOf({ kind: 'replace', body: Buffer.from('{"manifests":[]}'), headers }, '/referrers/');
    assert.deepEqual([failure.code, failure.retryable], ['REGISTRY_MISBEHAVED', false]);
  }
});

const TOO_LARGE = DEFAULT_EVIDENCE_BYTES + 1;
for (const [what, effect] of [
  ['without a length', { kind: 'oversize', bytes: TOO_LARGE }],
  ['with a length', { kind: 'replace', body: Buffer.alloc(TOO_LARGE) }],
  [
    'that unfolds',
    { kind: 'replace', body: gzipSync(Buffer.alloc(TOO_LARGE)), headers: { 'content-encoding': 'gzip' } },
  ],
] as const) {
  test(`a body ${what} is read to its limit`, async () => {
    const name = { registry: fake.address, repository: 'demo/app' };
    const registry = createRegistry({ credentials: anonymous });
    fake.setFault({ effect });
    await assert.rejects(registry.getBlob(name, blob, AbortSignal.timeout(30_000)), { code: 'EVIDENCE_TOO_LARGE' });
    await assert.rejects(registry.getManifest(name, image, AbortSignal.timeout(30_000)), {
      code: 'EVIDENCE_TOO_LARGE',
    });
    fake.setFault(undefined);
  });
}

test('an encoding that is broken is not taken for content', async () => {
  const headers = { 'content-encoding': 'gzip' };
  const failure = await failureOf({ kind: 'replace', body: Buffer.from('no gzip'), headers }, '/blobs/');
  assert.deepEqual([failure.code, failure.retryable], ['REGISTRY_MISBEHAVED', true]);
});

test('a fault for the first requests ends after them', async () => {
  fake.setFault({ effect: { kind: 'status', status: 503 }, requests: 1 });
  const name = { registry: fake.address, repository: 'demo/app' };
  const registry = createRegistry({ credentials: anonymous });
  const signal = AbortSignal.timeout(30_000);
  await assert.rejects(registry.getManifest(name, 'v1', signal), { code: 'REGISTRY_ERROR' });
  assert.equal((await registry.getManifest(name, 'v1', signal))?.digest, image);
});
