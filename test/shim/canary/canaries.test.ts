import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createCanaryImage } from '../../../shim/canary/artefact.ts';
import { CanaryBusy, createCanaries } from '../../../shim/canary/canary.ts';
import { lentCanaries } from '../../../shim/canary/lent.ts';
import { startCanaryRegistry } from '../../../shim/canary/registry.ts';
import { runCanary } from '../../../shim/canary/run.ts';
import { serveVerifier } from '../../../shim/grpc/server.ts';
import { digestOf } from '../../support/verdicts.ts';
import { asking, fakeClient } from './fake-client.ts';

const A = digestOf('aa');

describe("the canary's images", () => {
  it('are never the same twice, and hash to what they say', async () => {
    const [one, two] = [createCanaryImage(), createCanaryImage()];
    assert.notEqual(one.digest, two.digest);
    for (const [digest, bytes] of one.blobs) {
      assert.equal(`sha256:${createHash('sha256').update(bytes).digest('hex')}`, digest);
      assert.ok(Buffer.from(one.manifest).includes(digest));
    }
  });

  it('are all that their registry has', async () => {
    const image = createCanaryImage();
    const registry = await startCanaryRegistry(new Map([['portcullis-canary/refused', image]]));
    try {
      const status = async (path: string, method = 'GET') =>
        (await fetch(`http://${registry.address}${path}`, { method })).status;
      assert.equal(await status('/v2/'), 200);
      assert.equal(await status('/v2/portcullis-canary/refused/manifests/any'), 200);
      assert.equal(await status(`/v2/portcullis-canary/refused/manifests/${image.digest}`), 200);
      for (const path of [
        `/v2/portcullis-canary/refused/manifests/${A}`,
        `/v2/portcullis-canary/refused/blobs/${A}`,
        '/v2/portcullis-canary/passed/manifests/any',
        '/v2/portcullis-canary/refused/tags/list',
        '/v2/../../etc/passwd',
        `/v2/${'a'.repeat(5_000)}/manifests/x`,
        '/',
      ]) {
        assert.equal(await status(path), 404, path.slice(0, 80));
      }
      assert.equal(await status('/v2/portcullis-canary/refused/manifests/any', 'PUT'), 404);
    } finally {
      await registry.stop();
    }
  });
});

describe("the canary's rule", () => {
  it('knows the two images by name and digest together, and only while they are open', async () => {
    const canaries = createCanaries();
    const { bad, good, nonce, close } = await canaries.open();
    const code = (name: string, digest = good.digest) => canaries.rule({ name, digest })?.code;
    try {
      assert.match(canaries.rule(bad)?.sentence ?? '', new RegExp(nonce));
      assert.doesNotMatch(canaries.rule(good)?.sentence ?? '', new RegExp(nonce));
      assert.equal(code(good.name), 'CANARY_PASSED');
      assert.equal(code(bad.name, bad.digest), 'CANARY_REFUSED');
      assert.equal(code(good.name, A), undefined, 'another digest under the name');
      for (const name of [
        bad.name,
        'docker.io/library/alpine:latest',
        `${good.name}x`,
        `evil.example/${good.name}`,
        good.name.replace('127.0.0.1', 'localhost'),
        good.name.replace(/:\d+\//, ':1/'),
      ]) {
        assert.equal(code(name), undefined, name);
      }
    } finally {
      await close();
    }
    assert.equal(code(good.name), undefined);
    assert.equal(code(bad.name, bad.digest), undefined);
    await assert.rejects(fetch(`http://${good.name.split('/')[0]}/v2/`), 'its registry is there still');
  });

  it('is over when nobody closes it', async () => {
    const canaries = createCanaries(10);
    const ended = Promise.withResolvers<void>();
    const { good } = await canaries.lend({ asked() {}, closed: () => ended.resolve() });
    await ended.promise;
    assert.equal(canaries.rule(good), undefined);
  });
});

describe('canaries', () => {
  it('are open one at a time, each with images of its own, and not everybody may wait', async () => {
    const canaries = createCanaries();
    const first = await canaries.open();
    const others = Array.from({ length: 4 }, () => canaries.open());
    await assert.rejects(canaries.open(), CanaryBusy);
    assert.equal(canaries.rule(first.good)?.code, 'CANARY_PASSED');
    const seen = new Set([first.good.digest]);
    await first.close();
    await first.close();
    for (const opening of others) {
      const next = await opening;
      assert.equal(canaries.rule(first.good), undefined);
      assert.equal(canaries.rule(next.good)?.code, 'CANARY_PASSED');
      seen.add(next.good.digest);
      await next.close();
    }
    assert.equal(seen.size, 5);
  });

  it('tell what they were asked about', async () => {
    const canaries = createCanaries();
    const canary = await canaries.open();
    try {
      canaries.onAsked({ name: 'anything', digest: A });
      canaries.onAsked(canary.good);
      assert.deepEqual(
        [await canary.wasAsked(canary.good.digest), await canary.wasAsked(canary.bad.digest)],
        [true, false],
      );
    } finally {
      await canary.close();
    }
  });
});

describe('canaries that a daemon lends', () => {
  async function withDaemon(use: (canaries: ReturnType<typeof createCanaries>, socket: string) => Promise<void>) {
    const dir = await mkdtemp(join(tmpdir(), 'portcullis-lent-'));
    const canaries = createCanaries();
    const never = () => Promise.reject(new Error('not asked here'));
    const socket = join(dir, 'g.sock');
    const server = await serveVerifier(socket, { decide: never, resolve: never, node: { canaries, describe: never } });
    try {
      await use(canaries, socket);
    } finally {
      await server.close(0);
      await rm(dir, { recursive: true });
    }
  }

  it('are known to it until the caller ends the call', () =>
    withDaemon(async (canaries, socket) => {
      const canary = await lentCanaries(socket).open();
      assert.equal(canaries.rule(canary.good)?.code, 'CANARY_PASSED');
      assert.match(canaries.rule(canary.bad)?.sentence ?? '', new RegExp(canary.nonce));
      canaries.onAsked(canary.good);
      assert.equal(await canary.wasAsked(canary.good.digest), true);
      const word = canary.wasAsked(canary.bad.digest);
      canaries.onAsked(canary.bad);
      assert.equal(await word, true, 'a word that comes late');
      await canary.close();
      while (canaries.rule(canary.good) !== undefined) await delay(5);
    }));

  it('make a green canary, and one after the other', () =>
    withDaemon(async (canaries, socket) => {
      const { client } = fakeClient(asking(canaries));
      const source = lentCanaries(socket);
      const results = await Promise.all([
        runCanary(source, client),
        runCanary(canaries, client),
        runCanary(source, client),
      ]);
      assert.deepEqual(
        results.map(({ outcome }) => outcome),
        ['green', 'green', 'green'],
      );
    }));

  it('are told as busy, absent, or of an older daemon', () =>
    withDaemon(async (canaries, socket) => {
      const open = await Promise.all([canaries.open()]);
      const waiting = Array.from({ length: 4 }, () => canaries.open());
      await assert.rejects(lentCanaries(socket).open(), CanaryBusy);
      for (const canary of open) await canary.close();
      for (const opening of waiting) await (await opening).close();
      await assert.rejects(lentCanaries(`${socket}.none`).open(), /no portcullis shim answers at/);
      const never = () => Promise.reject(new Error('not asked here'));
      const older = await serveVerifier(`${socket}.old`, { decide: never, resolve: never });
      await assert.rejects(lentCanaries(`${socket}.old`).open(), /is older than this command/);
      await older.close(0);
    }));
});
