import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer as createHttp2 } from 'node:http2';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { connectTemporal } from '../../../activities/temporal-link.ts';
import type { Backend } from '../../../shim/backend/backend.ts';
import { connectBackend } from '../../../shim/backend/temporal.ts';
import { type DevServer, startDevServer } from '../../support/dev-server.ts';
import { listenOnLoopback } from '../../support/loopback.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { createTlsAuthority, type PemPair, startTlsRelay, type TlsAuthority } from '../../support/tls-relay.ts';
import { digestOf } from '../../support/verdicts.ts';
import { startHangingRelay } from './doubles.ts';
import {
  type Environment,
  eventually,
  quietRuntime,
  type RenewedFolder,
  renewedFolder,
  setEnvironment,
  startPrograms,
  WAYS,
} from './scene.ts';

let server: DevServer;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
before(async () => {
  server = await startDevServer();
  folder = await temporaryFolder();
});
after(async () => {
  await server.stop();
  await folder[Symbol.asyncDispose]();
});

const filesOf = ({ cert, key }: PemPair, authorities: string) => ({
  'tls.crt': cert,
  'tls.key': key,
  'ca.crt': authorities,
});

function variables(address: string, files: RenewedFolder): Environment {
  return {
    TEMPORAL_ADDRESS: address,
    TEMPORAL_TLS_CLIENT_CERT_PATH: files.path('tls.crt'),
    TEMPORAL_TLS_CLIENT_KEY_PATH: files.path('tls.key'),
    TEMPORAL_TLS_SERVER_CA_CERT_PATH: files.path('ca.crt'),
  };
}

/** A worker and a node that reach Temporal through TLS with client certificates, and work all the time. */
async function busyScene(t: TestContext, way: (typeof WAYS)[number]) {
  const root = join(folder.path, randomUUID());
  await mkdir(root);
  const files = renewedFolder(root, way);
  const authority = createTlsAuthority();
  const relay = await startTlsRelay(server.address, { ...authority.server(), ca: authority.pem });
  t.after(() => relay.stop());
  await files.write(filesOf(authority.client('first'), authority.pem));
  setEnvironment(variables(relay.address, files));
  const programs = await startPrograms(`renewal-${randomUUID()}`);
  const work = keepAsking(programs.shim);
  t.after(async () => {
    await work.stop();
    await programs.stop();
  });
  await eventually('work', () => work.done.length > 3);
  return { files, authority, relay, programs, work };
}

/** Starts a workflow every 100 ms, which the worker has to carry out within the time of a pull. */
function keepAsking(shim: Backend) {
  const done: number[] = [];
  const failed: string[] = [];
  const open = new Set<Promise<void>>();
  let count = 0;
  const ask = async () => {
    const begun = performance.now();
    try {
      await shim.resolve(`127.0.0.1:5000/demo/app:${count++}`, Date.now() + 9_000);
      done.push(performance.now() - begun);
    } catch (error) {
      failed.push(String(error));
    }
  };
  const timer = setInterval(() => {
    const asking: Promise<void> = ask().finally(() => open.delete(asking));
    open.add(asking);
  }, 100);
  return {
    done,
    failed,
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
    },
  };
}

/** How many connections were made with the certificate of this name. */
const seen = ({ clients }: { readonly clients: readonly string[] }, name: string) =>
  clients.filter((client) => client === name).length;

describe('certificates of Temporal that are renewed', () => {
  for (const way of WAYS) {
    it(`${way} are used by worker and shim within seconds, and no work is lost when the old ones are refused`, async (t) => {
      const { files, relay, work, programs } = await busyScene(t, way);
      const next = createTlsAuthority('next');
      // The server accepts both generations while they are exchanged, as authorities are rotated.
      const front = createTlsAuthority('front');
      relay.use({ ...front.server(), ca: [next.pem] });
      await files.write(filesOf(next.client('second'), front.pem));
      const ms = await eventually('two connections with the new certificate', () => seen(relay, 'second') >= 2);
      t.diagnostic(`new certificates were in use after ${ms} ms`);
      assert.ok(ms < 8_000, `${ms} ms`);
      await eventually(
        'both programs to say so',
        () => programs.logged.filter((line) => /changed settings are used/.test(line)).length === 2,
      );
      relay.cutAll();
      const before = work.done.length;
      await eventually('work after the cut', () => work.done.length > before + 20);
      await work.stop();
      assert.deepEqual(work.failed, []);
      t.diagnostic(`${work.done.length} workflows, slowest ${Math.round(Math.max(...work.done))} ms`);
    });
  }

  it('are not used while only half of them is written, and the old ones go on', async (t) => {
    const { files, authority, relay, work, programs } = await busyScene(t, 'in place');
    const second = authority.client('second');
    for (const half of [
      { 'tls.crt': second.cert },
      { 'tls.crt': second.cert.slice(0, 300) },
      { 'tls.crt': '' },
      { 'tls.crt': second.cert, 'ca.crt': authority.pem.slice(0, 300) },
      { 'ca.crt': '' },
    ]) {
      await files.write(half);
      await delay(2_100);
    }
    await files.write({ 'tls.crt': second.cert, 'ca.crt': authority.pem });
    await eventually(
      'both to say so',
      () =>
        programs.logged.filter((line) => /not used yet.*do not belong together; write both files/.test(line)).length ===
        2,
    );
    relay.cutAll();
    const before = work.done.length;
    await eventually('work with the old ones', () => work.done.length > before + 10);
    assert.equal(seen(relay, 'second'), 0);
    await files.write(filesOf(second, authority.pem));
    await eventually('the whole pair in use', () => seen(relay, 'second') >= 2);
    await work.stop();
    assert.deepEqual(work.failed, []);
  });

  it('are kept until the server accepts the new ones', async (t) => {
    const { files, relay, work, programs } = await busyScene(t, 'by rename');
    const next = createTlsAuthority('next');
    await files.write(filesOf(next.client('second'), next.pem));
    await eventually(
      'both to say why',
      () => programs.logged.filter((line) => /not used yet.*not of the authority in/.test(line)).length === 2,
    );
    const before = work.done.length;
    await eventually('work with the old ones', () => work.done.length > before + 10);
    relay.use({ ...next.server(), ca: next.pem });
    relay.cutAll();
    const ms = await eventually('the new ones in use', () => seen(relay, 'second') >= 2);
    t.diagnostic(`new certificates were in use after ${ms} ms`);
    await work.stop();
    assert.deepEqual(work.failed, []);
  });
});

describe('a server or a proxy that hangs', () => {
  it('and answers again later is used again, although the first connections wait without end', async (t) => {
    const relay = await startHangingRelay(server.address);
    t.after(relay.stop);
    setEnvironment({ TEMPORAL_ADDRESS: relay.address });
    const programs = await startPrograms(`hang-${randomUUID()}`);
    t.after(() => programs.stop());
    const ask = () => programs.shim.exists('verify/x', Date.now() + 2_500);
    assert.equal(await ask(), false);
    relay.hang();
    await assert.rejects(ask(), {
      code: 'TEMPORAL_UNREACHABLE',
      message: /accepted the connection and did not answer/,
    });
    relay.heal();
    const begun = performance.now();
    const isBack = () =>
      ask().then(
        () => true,
        () => false,
      );
    while (performance.now() - begun < 20_000 && !(await isBack()));
    const ms = Math.round(performance.now() - begun);
    t.diagnostic(`the shim had its answer after ${ms} ms`);
    assert.ok(ms < 20_000, programs.logged.join('\n'));
    assert.ok(relay.hanging() > 0);
  });

  it('is asked again by a verification that began meanwhile', async (t) => {
    const relay = await startHangingRelay(server.address);
    t.after(relay.stop);
    setEnvironment({ TEMPORAL_ADDRESS: relay.address });
    const shim = connectBackend(`hang-${randomUUID()}`);
    t.after(() => shim.close());
    const workflowId = `verify/${randomUUID()}`;
    assert.equal(await shim.exists(workflowId, Date.now() + 10_000), false);
    relay.hang();
    await assert.rejects(shim.exists(workflowId, Date.now() + 6_000), { code: 'TEMPORAL_UNREACHABLE' });
    const input = {
      decisionId: 'x',
      name: 'r.example/app:v1',
      digest: digestOf('ab'),
      policyRevision: 'ab'.repeat(32),
    };
    const asked = shim.verify({ workflowId, input, node: 'n' }, Date.now() + 15_000);
    relay.heal();
    // No worker answers: what counts is that Temporal got the question.
    await assert.rejects(asked, { code: 'STILL_VERIFYING' });
    assert.equal(await shim.exists(workflowId, Date.now() + 10_000), true);
  });
});

describe('a program that starts before its certificates are there', () => {
  it('says so, and connects once they are', async (t) => {
    const root = join(folder.path, randomUUID());
    await mkdir(root);
    const files = renewedFolder(root, 'in place');
    const authority: TlsAuthority = createTlsAuthority();
    const relay = await startTlsRelay(server.address, { ...authority.server(), ca: authority.pem });
    t.after(() => relay.stop());
    setEnvironment(variables(relay.address, files));
    const shim = connectBackend('nobody');
    t.after(() => shim.close());
    await assert.rejects(shim.exists('x', Date.now() + 1_000), {
      code: 'TEMPORAL_UNREACHABLE',
      message: /tls\.crt.*ENOENT|ca\.crt.*ENOENT/,
    });
    const starting = startPrograms('early');
    await delay(500);
    await files.write(filesOf(authority.client('first'), authority.pem));
    const programs = await starting;
    t.after(() => programs.stop());
    assert.match(programs.logged[0] ?? '', /Temporal is not there yet.*ENOENT; correct the path or the file/);
    assert.equal(await shim.exists('x', Date.now() + 3_000), false);
  });
});

describe('an API key of Temporal in the configuration file', () => {
  it('that is renewed is sent by worker and shim within seconds', async (t) => {
    quietRuntime();
    const keys = { shim: '', worker: '' };
    const fake = createHttp2().on('stream', (stream, headers) => {
      stream.on('error', () => {}); // a caller that gave up
      const by = /Describe(?:Namespace)/.test(headers[':path'] ?? '')
        ? 'worker'
        : /DescribeWorkflow/.test(headers[':path'] ?? '')
          ? 'shim'
          : undefined;
      if (by !== undefined) keys[by] = headers.authorization ?? '';
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.alloc(5));
    });
    const address = await listenOnLoopback(fake);
    const file = join(folder.path, 'temporal.toml');
    const write = (key: string) =>
      writeFile(
        file,
        `[profile.default]\naddress = "${address}"\napi_key = "${key}"\n[profile.default.tls]\ndisabled = true\n`,
      );
    await write('old');
    setEnvironment({ TEMPORAL_CONFIG_FILE: file });
    const stop = new AbortController();
    const link = await connectTemporal(process.env, () => {}, stop.signal);
    assert.ok(link !== undefined);
    link.follow(() => {});
    const shim = connectBackend('nobody');
    t.after(async () => {
      await link.close();
      await shim.close();
      fake.close();
    });
    const asking = setInterval(() => void shim.exists('x', Date.now() + 2_000).catch(() => {}), 200);
    t.after(() => clearInterval(asking));
    await eventually('the old key', () => keys.shim === 'Bearer old' && keys.worker === 'Bearer old');
    await write('new');
    await eventually('the new key', () => keys.shim === 'Bearer new' && keys.worker === 'Bearer new', 8_000);
  });
});
