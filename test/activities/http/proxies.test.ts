import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EvidenceError } from '../../../activities/evidence-error.ts';
import { httpMirror } from '../../../activities/trust/tuf/mirror.ts';
import { startConnectProxy } from '../../support/connect-proxy.ts';
import {
  askGoogle,
  behaviour,
  CLIENTS,
  type ClientOfWorker,
  certificates,
  manifest,
  ports,
  proxy,
  SERVED,
  signal,
  use,
} from './proxy-setting.ts';

const written = (target: string) =>
  target.replace('PORT', ports.secure).replace('PLAIN', ports.plain).replace('OWN', ports.own);

async function asked({ ask, succeeds }: ClientOfWorker): Promise<readonly string[]> {
  const from = proxy.seen.length;
  if (succeeds) await ask();
  else await ask().catch(() => undefined);
  return proxy.targets().slice(from);
}

describe('a worker behind a proxy', () => {
  for (const client of CLIENTS) {
    it(`reaches ${client.what} through it, in both spellings`, async () => {
      for (const names of [
        ['HTTP_PROXY', 'HTTPS_PROXY'],
        ['http_proxy', 'https_proxy'],
      ] as const) {
        use(Object.fromEntries(names.map((name) => [name, proxy.url])));
        const seen = new Set(await asked(client));
        for (const target of client.targets) assert.ok(seen.has(written(target)), `${target} in ${[...seen].join()}`);
      }
    });

    it(`reaches ${client.what} without it where NO_PROXY says so, and where proxies are off`, async () => {
      const hosts = SERVED.join();
      use({ HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url, NO_PROXY: hosts });
      assert.deepEqual(await asked(client), []);
      use({});
      assert.deepEqual(await asked(client), []);
    });
  }

  it('sends the credentials of the proxy to the proxy, and to no one behind it', async (t) => {
    const guarded = await startConnectProxy({ ...behaviour, credentials: { username: 'ann', password: 'p@ss:word' } });
    t.after(() => guarded.stop());
    const url = guarded.url.replace('http://', 'http://ann:p%40ss%3Aword@');
    use({ HTTP_PROXY: url, HTTPS_PROXY: url });
    for (const client of CLIENTS.filter(({ succeeds }) => succeeds)) await client.ask();
    assert.ok(guarded.seen.length >= 9);
    const expected = `Basic ${Buffer.from('ann:p@ss:word').toString('base64')}`;
    assert.ok(guarded.seen.every(({ authorization }) => authorization === expected));
  });

  it('may reach the proxy itself by TLS', async (t) => {
    const secured = await startConnectProxy({ ...behaviour, tls: certificates.server });
    t.after(() => secured.stop());
    use({ HTTP_PROXY: secured.url, HTTPS_PROXY: secured.url });
    for (const client of CLIENTS.filter(({ succeeds }) => succeeds)) await client.ask();
    assert.ok(secured.targets().includes(`kms.test:${ports.secure}`));
    assert.ok(secured.targets().includes(`http://registry.test:${ports.plain}/v2/demo/app/manifests/v1`));
  });

  it('asks the proxy for no loopback address and no metadata service', async () => {
    use({ HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url });
    const from = proxy.seen.length;
    assert.notEqual(await manifest(`http://127.0.0.1:${ports.plain}/`).catch(() => undefined), null);
    await manifest(`https://localhost:${ports.secure}/`).catch(() => undefined);
    assert.deepEqual(proxy.targets().slice(from), []);
  });
});

async function failureOf(work: Promise<unknown>): Promise<EvidenceError> {
  const error = await work.then(
    () => assert.fail('expected a failure'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof EvidenceError, String(error));
  return error;
}

const REFUSALS: readonly (readonly [refusal: number, problem: RegExp])[] = [
  [407, /the proxy 127\.0\.0\.1:\d+ requires credentials \(407\)[^;]*; add user and password to the proxy's URL$/],
  [403, /the proxy 127\.0\.0\.1:\d+ denied the connection to [\w.]+:\d+ \(403\)[^;]*; allow the host in the proxy/],
  [502, /the proxy 127\.0\.0\.1:\d+ could not connect to [\w.]+:\d+ \(502\)[^;]*; check that the proxy can reach/],
  [400, /the proxy 127\.0\.0\.1:\d+ answered a request to connect to [\w.]+:\d+ with 400[^;]*; check that its URL/],
];

describe('a proxy that gives no connection', () => {
  for (const [refusal, problem] of REFUSALS) {
    for (const client of CLIENTS.filter(({ what }) => !/plain|mirror/.test(what))) {
      it(`with ${refusal} is named to those who ask ${client.what}, with the cure, and tried again`, async () => {
        use({ HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url });
        behaviour.refusal = refusal;
        const failure = await failureOf(client.ask());
        assert.match(failure.code, /^(?:REGISTRY|LOG|KMS)_UNREACHABLE$/);
        assert.equal(failure.retryable, true);
        assert.match(failure.message, problem);
      });
    }
  }

  it('is told of a mirror of a trust root too', async () => {
    use({ HTTPS_PROXY: proxy.url });
    behaviour.refusal = 403;
    const mirror = httpMirror(new URL(`https://tuf.test:${ports.secure}/`));
    await assert.rejects(mirror.get('1.root.json', 100, signal()), /the proxy 127\.0\.0\.1:\d+ denied the connection/);
  });

  it('requires credentials for plain HTTP as well, or rejects those that it got', async (t) => {
    const guarded = await startConnectProxy({ ...behaviour, credentials: { username: 'ann', password: 'right' } });
    t.after(() => guarded.stop());
    use({ HTTP_PROXY: guarded.url });
    const none = await failureOf(manifest(`http://registry.test:${ports.plain}/`));
    assert.match(none.message, /: the proxy 127\.0\.0\.1:\d+ requires credentials \(407\); add user and password/);
    use({
      HTTPS_PROXY: guarded.url.replace('//', '//ann:hunter2@'),
      HTTP_PROXY: guarded.url.replace('//', '//ann:hunter2@'),
    });
    for (const url of [`http://registry.test:${ports.plain}/`, `https://registry.test:${ports.secure}/`]) {
      const wrong = await failureOf(manifest(url));
      assert.match(wrong.message, /: the proxy 127\.0\.0\.1:\d+ rejected the credentials \(407\); correct them/);
      assert.doesNotMatch(`${wrong.message} ${wrong.stack} ${wrong.cause}`, /hunter2|ann/);
    }
  });

  it('is named where it is down, and where it never answers', async () => {
    const gone = await startConnectProxy();
    await gone.stop();
    use({ HTTPS_PROXY: gone.url });
    const down = await failureOf(manifest(`https://registry.test:${ports.secure}/`));
    assert.equal(down.code, 'REGISTRY_UNREACHABLE');
    assert.match(
      down.message,
      /: the connection to the proxy 127\.0\.0\.1:\d+ failed \(ECONNREFUSED\); check the proxy/,
    );
    use({ HTTPS_PROXY: proxy.url });
    behaviour.refusal = 'hang';
    const late = await failureOf(manifest(`https://registry.test:${ports.secure}/`));
    assert.equal(late.code, 'REGISTRY_TIMEOUT');
    assert.match(late.message, /: the proxy 127\.0\.0\.1:\d+ did not connect within 5 s; check the proxy/);
  });

  it('is named where the other end fails behind it', async () => {
    use({ HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url });
    const untrusted = await failureOf(manifest(`https://own.test:${ports.own}/`));
    assert.match(untrusted.message, / through the proxy 127\.0\.0\.1:\d+: the certificate is not trusted \([A-Z_]+\)/);
    behaviour.refusal = 503;
    const plain = await failureOf(manifest(`http://registry.test:${ports.plain}/`));
    assert.match(plain.message, / through the proxy 127\.0\.0\.1:\d+: expected 200 or 404, got 503/);
  });

  it('is a mistake of the operator where its URL is wrong', async () => {
    use({ HTTPS_PROXY: 'socks5://robot:hunter2@proxy.example' });
    for (const client of CLIENTS.filter(({ what }) => /Vault$|AWS|registry,/.test(what))) {
      const failure = await failureOf(client.ask());
      assert.match(
        failure.message,
        /HTTPS_PROXY: only proxies at http:\/\/ and https:\/\/ are supported[^;]*; set it to/,
      );
      assert.doesNotMatch(failure.message, /hunter2|robot/);
    }
  });
});

describe("Google's client, which brings connections of its own", () => {
  // Each has a proxy of its own: gRPC connects again in the background.
  for (const names of [['HTTPS_PROXY'], ['https_proxy']] as const) {
    it(`reaches the service through ${names[0]}`, async (t) => {
      const own = await startConnectProxy({ ...behaviour, refusal: undefined });
      t.after(() => own.stop());
      use({ [names[0]]: own.url });
      // The server here speaks no gRPC.
      assert.match((await failureOf(askGoogle())).code, /^KMS_(?:UNREACHABLE|TIMEOUT)$/);
      assert.ok(own.targets().includes('cloudkms.googleapis.com:443'), own.targets().join());
    });
  }

  it('reaches service and tokens through a proxy that is itself reached by TLS', async (t) => {
    const own = await startConnectProxy({ ...behaviour, refusal: undefined, tls: certificates.server });
    t.after(() => own.stop());
    use({ HTTPS_PROXY: own.url });
    assert.partialDeepStrictEqual(await askGoogle(), { state: { kind: 'unusable', code: 'KEY_NOT_FOUND' } });
    assert.deepEqual(new Set(own.targets()), new Set(['oauth2.googleapis.com:443', 'cloudkms.googleapis.com:443']));
  });

  it('uses no proxy where NO_PROXY says so, and where proxies are off', async (t) => {
    const own = await startConnectProxy();
    t.after(() => own.stop());
    for (const environment of [{ HTTPS_PROXY: own.url, https_proxy: own.url, NO_PROXY: SERVED.join() }, {}]) {
      use(environment);
      // What Google's libraries read by themselves
      const before = { ...process.env };
      Object.assign(process.env, { HTTPS_PROXY: own.url, https_proxy: own.url });
      await askGoogle().catch(() => undefined);
      for (const name of ['HTTPS_PROXY', 'https_proxy']) delete process.env[name];
      Object.assign(process.env, before);
    }
    assert.deepEqual(own.targets(), []);
  });

  for (const [refusal, problem] of REFUSALS) {
    it(`names a proxy that answers with ${refusal}`, async (t) => {
      const own = await startConnectProxy({ ...behaviour, refusal });
      t.after(() => own.stop());
      use({ HTTPS_PROXY: own.url });
      const failure = await failureOf(askGoogle());
      assert.deepEqual([failure.code, failure.retryable], ['KMS_UNREACHABLE', true]);
      assert.match(failure.message, problem);
    });
  }
});
