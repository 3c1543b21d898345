import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { workerCommand } from '../../activities/cli/worker.ts';
import { shimCommand } from '../../shim/cli/shim.ts';
import type { ProxyEnvironment } from '../../workflows/format/proxy.ts';
import { startBlackHole } from '../support/black-hole.ts';
import { type ConnectProxy, startConnectProxy } from '../support/connect-proxy.ts';
import { type DevServer, startDevServer } from '../support/dev-server.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { createTlsAuthority, type PemPair, startTlsRelay, type TlsRelay } from '../support/tls-relay.ts';
import { type Cell, type Condition, TEMPORAL_CLIENTS, type TemporalClient } from './cells.ts';
import {
  type Environment,
  eventually,
  type Programs,
  quietRuntime,
  setEnvironment,
  startPrograms,
  whatShimSays,
  whatWorkerSays,
} from './temporal/scene.ts';
import { TEMPORAL_TABLE } from './temporal-table.ts';

/** A host that is not on this machine: only a proxy reaches it. */
const REMOTE = 'temporal.example:7233';
/** On Linux an address of this machine that is not a loopback one: proxies count for it. */
const UNSPECIFIED = '0.0.0.0';
const CREDENTIALS = { username: 'node', password: 'p@ss word%' };

let server: DevServer;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const authority = createTlsAuthority();
before(async () => {
  quietRuntime();
  server = await startDevServer();
  folder = await temporaryFolder();
});
after(async () => {
  await server.stop();
  await folder[Symbol.asyncDispose]();
});

async function file(content: string): Promise<string> {
  const path = join(folder.path, randomUUID());
  await writeFile(path, content);
  return path;
}

async function relayFor(t: TestContext, asksForClient: boolean, name?: string): Promise<TlsRelay> {
  const relay = await startTlsRelay(server.address, {
    ...authority.server(name),
    ...(asksForClient && { ca: authority.pem }),
  });
  t.after(() => relay.stop());
  return relay;
}

async function proxyFor(t: TestContext, to: string, credentials?: typeof CREDENTIALS): Promise<ConnectProxy> {
  const proxy = await startConnectProxy({ route: () => to, ...(credentials !== undefined && { credentials }) });
  t.after(() => proxy.stop());
  return proxy;
}

const trusting = async (): Promise<Environment> => ({ TEMPORAL_TLS_SERVER_CA_CERT_PATH: await file(authority.pem) });

async function identified({ cert, key }: PemPair): Promise<Environment> {
  return { TEMPORAL_TLS_CLIENT_CERT_PATH: await file(cert), TEMPORAL_TLS_CLIENT_KEY_PATH: await file(key) };
}

const userinfo = `${encodeURIComponent(CREDENTIALS.username)}:${encodeURIComponent(CREDENTIALS.password)}@`;

/** Runs a workflow: the shim starts it, the worker carries it out. */
async function work(programs: Programs): Promise<void> {
  await programs.shim.resolve(`127.0.0.1:5000/demo/app:${randomUUID()}`, Date.now() + 9_000);
}

async function worksWith(
  environment: Environment,
  meanwhile?: (programs: Programs) => Promise<void>,
  proxies?: ProxyEnvironment,
): Promise<void> {
  setEnvironment(environment);
  const programs = await startPrograms(`networks-${randomUUID()}`, proxies);
  try {
    await work(programs);
    await meanwhile?.(programs);
  } finally {
    await programs.stop();
  }
}

/** Every condition that applies: both programs work, or what each of them says. */
const TRIES: Readonly<Partial<Record<Condition, (t: TestContext) => Promise<Said | undefined>>>> = {
  async plain() {
    await worksWith({ TEMPORAL_ADDRESS: server.address });
    return undefined;
  },
  async 'own CA'(t) {
    const relay = await relayFor(t, false);
    await worksWith({ TEMPORAL_ADDRESS: relay.address, ...(await trusting()) });
    return undefined;
  },
  async 'unknown CA'(t) {
    const relay = await relayFor(t, false);
    return await saidWith({
      TEMPORAL_ADDRESS: relay.address,
      TEMPORAL_TLS_SERVER_CA_CERT_PATH: await file(createTlsAuthority('other').pem),
    });
  },
  async 'client certificate'(t) {
    const relay = await relayFor(t, true);
    const client = await identified(authority.client('mine'));
    await worksWith({ TEMPORAL_ADDRESS: relay.address, ...(await trusting()), ...client });
    assert.ok(relay.clients.length >= 2 && relay.clients.every((name) => name === 'mine'), relay.clients.join());
    return undefined;
  },
  async 'CONNECT proxy'(t) {
    const relay = await relayFor(t, true, 'temporal.example');
    const secured = await proxyFor(t, relay.address, CREDENTIALS);
    const client = await identified(authority.client('mine'));
    const others = { grpc_proxy: 'http://127.0.0.1:1', no_grpc_proxy: 'temporal.example', https_proxy: '' };
    await worksWith({
      ...{ TEMPORAL_ADDRESS: REMOTE, HTTPS_PROXY: `http://${userinfo}${secured.address}`, ...others },
      ...(await trusting()),
      ...client,
    });
    assert.ok(secured.seen.length >= 2);
    assert.deepEqual(new Set(secured.targets()), new Set([REMOTE]));
    const clear = await proxyFor(t, server.address);
    await worksWith({ TEMPORAL_ADDRESS: REMOTE, http_proxy: clear.url, HTTPS_PROXY: 'http://127.0.0.1:1' });
    assert.deepEqual(
      new Set(clear.seen.map(({ method, target }) => `${method} ${target}`)),
      new Set([`CONNECT ${REMOTE}`]),
    );
    return undefined;
  },
  async NO_PROXY(t) {
    const proxy = await proxyFor(t, server.address);
    const address = server.address.replace('127.0.0.1', UNSPECIFIED);
    const proxied = { TEMPORAL_ADDRESS: address, HTTP_PROXY: proxy.url };
    await worksWith(proxied);
    const tunnels = proxy.seen.length;
    assert.ok(tunnels >= 2, `${tunnels} tunnels without NO_PROXY`);
    await worksWith({ ...proxied, NO_PROXY: UNSPECIFIED });
    await worksWith(proxied, undefined, {}); // --proxy off
    await worksWith({ ...proxied, no_proxy: `10.0.0.0/8,${UNSPECIFIED}/32` });
    await worksWith({
      TEMPORAL_ADDRESS: server.address,
      HTTP_PROXY: proxy.url,
      HTTPS_PROXY: proxy.url,
      grpc_proxy: proxy.url,
    });
    assert.equal(proxy.seen.length, tunnels);
    return undefined;
  },
  async 'renewed credential'(t) {
    const relay = await relayFor(t, true);
    const dir = join(folder.path, randomUUID());
    await mkdir(dir);
    const write = async ({ cert, key }: PemPair) => {
      await writeFile(join(dir, 'crt'), cert);
      await writeFile(join(dir, 'key'), key);
    };
    await write(authority.client('old'));
    const paths = { TEMPORAL_TLS_CLIENT_CERT_PATH: join(dir, 'crt'), TEMPORAL_TLS_CLIENT_KEY_PATH: join(dir, 'key') };
    await worksWith({ TEMPORAL_ADDRESS: relay.address, ...(await trusting()), ...paths }, async (programs) => {
      const next = createTlsAuthority('next');
      relay.use({ ...authority.server(), ca: next.pem });
      await write(next.client('new'));
      await eventually('the new certificate', () => relay.clients.filter((name) => name === 'new').length >= 2);
      relay.cutAll();
      await work(programs);
    });
    return undefined;
  },
  async slow(t) {
    const hole = await startBlackHole();
    t.after(() => hole.stop());
    return await saidWith({ TEMPORAL_ADDRESS: hole.address });
  },
  async cut(t) {
    const relay = await relayFor(t, false);
    await worksWith({ TEMPORAL_ADDRESS: relay.address, ...(await trusting()) }, async (programs) => {
      for (let round = 0; round < 3; round++) {
        const working = work(programs);
        relay.cutAll();
        await working;
      }
    });
    return undefined;
  },
};

type Said = Readonly<Record<TemporalClient, { readonly code: string | undefined; readonly message: string }>>;

async function saidWith(environment: Environment): Promise<Said> {
  setEnvironment(environment);
  const { code, message } = await whatShimSays();
  return {
    'Temporal of the shim': { code, message },
    'Temporal of the worker': { code: undefined, message: await whatWorkerSays() },
  };
}

/** Object.entries and Object.keys forget what the keys are. */
const CONDITIONS_OF = Object.keys(TEMPORAL_TABLE['Temporal of the shim']) as readonly Condition[];
const CLIENTS = Object.keys(TEMPORAL_CLIENTS) as readonly TemporalClient[];

describe('Temporal of worker and shim', () => {
  for (const condition of CONDITIONS_OF) {
    const cells: readonly (readonly [TemporalClient, Cell])[] = CLIENTS.map((client) => [
      client,
      TEMPORAL_TABLE[client][condition],
    ]);
    it(`${condition}: ${[...new Set(cells.map(([, { kind }]) => kind))].join()}`, { timeout: 60_000 }, async (t) => {
      const attempt = TRIES[condition];
      const said = await attempt?.(t);
      for (const [client, cell] of cells) {
        switch (cell.kind) {
          case 'does not apply':
            assert.equal(attempt, undefined);
            break;
          case 'succeeds':
            assert.deepEqual([attempt === undefined, said], [false, undefined]);
            break;
          case 'fails':
            assert.equal(said?.[client].code, cell.code);
            assert.match(said?.[client].message ?? '', cell.says);
        }
      }
    });
  }
});

describe('the setting --proxy', () => {
  for (const [command, run] of [
    ['worker', () => workerCommand.run(['--policy', '/none', '--verdict-key', '/none', '--proxy', 'on'])],
    ['shim', () => shimCommand.run(['--verdict-keys', '/none', '--proxy', 'on'])],
  ] as const) {
    it(`of ${command} is environment or off, and nothing else`, async (t) => {
      const said = t.mock.method(console, 'error', () => {});
      assert.equal(await run(), 2);
      assert.match(String(said.mock.calls[0]?.arguments[0]), /--proxy: expected environment or off; see "portcullis/);
    });
  }
});
