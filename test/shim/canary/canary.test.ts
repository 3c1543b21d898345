import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { createCanaryImage } from '../../../shim/canary/artefact.ts';
import type { PullClient } from '../../../shim/canary/clients.ts';
import { startCanaryRegistry } from '../../../shim/canary/registry.ts';
import { canaryRule } from '../../../shim/canary/rule.ts';
import { runCanary } from '../../../shim/canary/run.ts';
import { watchCanary } from '../../../shim/canary/watch.ts';
import type { Digest } from '../../../workflows/digest.ts';
import { digestOf } from '../../support/verdicts.ts';

const A = digestOf('aa');

describe("the canary's rule", () => {
  const names: readonly (readonly [string, string | undefined])[] = [
    ['127.0.0.1:4711/portcullis-canary/refused:0a', 'CANARY_REFUSED'],
    ['127.0.0.1:4711/portcullis-canary/passed:0a', undefined],
    ['localhost:4711/portcullis-canary/refused:0a', undefined],
    ['evil.example/127.0.0.1:4711/portcullis-canary/refused:0a', undefined],
    ['127.0.0.1:4711/portcullis-canary/refused-not:0a', undefined],
  ];
  for (const [name, expected] of names) {
    it(`says ${expected ?? 'nothing'} of ${name}`, () => {
      assert.equal(canaryRule(new Set())({ name, digest: A })?.code, expected);
    });
  }

  it('lets in the digest of a run that is under way, and nothing by its name', () => {
    const passed = new Set([A]);
    const rule = canaryRule(passed);
    assert.equal(rule({ name: 'anything:v1', digest: A })?.code, 'CANARY_PASSED');
    assert.equal(rule({ name: '127.0.0.1:1/portcullis-canary/passed:0a', digest: digestOf('bb') }), undefined);
    assert.equal(rule({ name: '127.0.0.1:1/portcullis-canary/refused:0a', digest: A })?.code, 'CANARY_REFUSED');
    passed.clear();
    assert.equal(rule({ name: 'anything:v1', digest: A }), undefined);
  });
});

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

/** A client that answers by the name it is asked for, and remembers what it took off the node. */
function fakeClient(answer: (image: string, digest: string) => string | undefined) {
  const removed: string[] = [];
  const client: PullClient = {
    name: 'fake',
    async pull(image) {
      const path = image.replace(/^([^/]+)\/(.*):(\w+)$/, 'http://$1/v2/$2/manifests/$3');
      return answer(image, (await fetch(path)).headers.get('docker-content-digest') ?? '');
    },
    async remove(image) {
      removed.push(image);
    },
    close() {},
  };
  return { client, removed };
}

describe('a canary', () => {
  const refusal = (digest: string) => `rejected image (exit code 1): CANARY_REFUSED: ${digest} is a canary`;
  const isBad = (image: string) => image.includes('/refused:');
  const cases: readonly (readonly [string, Parameters<typeof fakeClient>[0]])[] = [
    ['green', (image, digest) => (isBad(image) ? refusal(digest) : undefined)],
    ['bypassed', () => undefined],
    ['refused-by-others', (image) => (isBad(image) ? 'UNSIGNED: no signature' : undefined)],
    ['refused-by-others', (image) => (isBad(image) ? refusal(A) : undefined)],
    ['good-refused', (image, digest) => (isBad(image) ? refusal(digest) : 'no')],
    [
      'no-client',
      () => {
        throw new Error('nobody there');
      },
    ],
  ];
  for (const [outcome, answer] of cases) {
    it(`is ${outcome}, and leaves nothing`, async () => {
      const { client, removed } = fakeClient(answer);
      const permitted: Digest[] = [];
      let ended = 0;
      const results = await runCanary([client], async (digest) => {
        permitted.push(digest);
        return () => ended++;
      });
      assert.deepEqual(
        results.map((result) => [result.client, result.outcome]),
        [['fake', outcome]],
      );
      assert.equal(removed.length, 2);
      assert.equal(ended, permitted.length);
      assert.equal(permitted.length, outcome === 'green' || outcome === 'good-refused' ? 1 : 0);
    });
  }

  it('of a daemon is red, and said to be, when there is no containerd', async () => {
    const said: string[] = [];
    const log = { info: (message: string) => said.push(message), warn: (message: string) => said.push(message) };
    const watch = watchCanary('/nowhere/containerd.sock', 20, new Set(), log);
    try {
      assert.deepEqual(watch.state(), { green: undefined, at: 0 });
      while (watch.state().green === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
      assert.equal(watch.state().green, false);
      assert.equal(said[0], 'canary is red');
    } finally {
      watch.stop();
    }
  });
});
