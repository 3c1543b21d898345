import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createVerdictKey } from '../../activities/verdict-key/verdict-key.ts';
import { build } from '../../infra/build.ts';
import { writePolicy } from '../../infra/stack/house.ts';
import { startShim, startWorker } from '../../infra/stack/portcullis.ts';
import { freePort } from '../../infra/stack/ports.ts';
import { startTemporal } from '../../infra/stack/temporal.ts';
import { assertRefused, pullThrough } from '../support/pull.ts';
import { createSigningKey } from '../support/signer.ts';
import { digestOf } from '../support/verdicts.ts';

const MAIN = fileURLToPath(new URL('../../infra/portcullis.ts', import.meta.url));
const release = createSigningKey('ECDSA P-256');

let dir: string;
let verdictKey: string;
let policyDirectory: string;
before(async () => {
  await build();
  dir = await mkdtemp(join(tmpdir(), 'portcullis-worker-'));
  await chmod(dir, 0o700);
  verdictKey = join(dir, 'verdict.key');
  policyDirectory = join(dir, 'policy');
  await createVerdictKey(verdictKey, join(dir, 'verdict.pub'));
  await mkdir(policyDirectory);
  await writePolicy(policyDirectory, '127.0.0.1:*/demo/**', release.publicPem);
});
after(() => rm(dir, { recursive: true }));

/** A worker program as an operator starts it. */
interface Program {
  readonly child: ChildProcess;
  /** Waits until it has printed a line in which this is. */
  said(text: string): Promise<string>;
  /** Waits for its end. */
  readonly ended: Promise<{ readonly code: number | null; readonly output: string }>;
}

function runWorkerProgram(t: TestContext, temporal: string, options: Readonly<Record<string, string>> = {}): Program {
  const all = {
    ...{ policy: policyDirectory, 'verdict-key': verdictKey, metrics: 'off' },
    ...{ 'allow-internal': '127.0.0.0/8', ...options },
  };
  const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]);
  const env = { ...process.env, TEMPORAL_ADDRESS: temporal };
  const child = spawn(process.execPath, [MAIN, 'worker', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  let output = '';
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      for (const listener of listeners) listener();
    });
  }
  const ended = new Promise<{ code: number | null; output: string }>((resolve) => {
    child.once('close', (code) => resolve({ code, output }));
  });
  const said = (text: string) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        const line = output.split('\n').find((one) => one.includes(text));
        if (line !== undefined) resolve(line);
      };
      listeners.add(look);
      look();
      void ended.then(() => reject(new Error(`ended without saying ${text}:\n${output}`)));
    });
  return { child, said, ended };
}

/** Nobody listens there. */
async function nobody(): Promise<string> {
  return `127.0.0.1:${await freePort()}`;
}

describe('portcullis worker ends with one line that says what to do', () => {
  const cases: readonly [string, (t: TestContext) => Promise<Readonly<Record<string, string>>>, RegExp][] = [
    [
      'without a verdict key',
      async () => ({ 'verdict-key': join(dir, 'absent.key') }),
      /verdict key: expected to read .*absent\.key, found ENOENT; make a key with "portcullis keys init"/,
    ],
    [
      'with a verdict key that others may read',
      async () => {
        const file = join(dir, 'open.key');
        await createVerdictKey(file, join(dir, 'open.pub'));
        await chmod(file, 0o644);
        return { 'verdict-key': file };
      },
      /expected .*open\.key to be readable by its owner only, found mode 644; run chmod 600/,
    ],
    [
      'without a workflow bundle',
      async () => ({ 'workflow-bundle': join(dir, 'absent.js') }),
      /expected the workflow bundle at .*absent\.js, found none; make it with "npm run build"/,
    ],
    [
      'with a metrics address that is none',
      async () => ({ metrics: 'everywhere' }),
      /expected IP:PORT for metrics, found everywhere; choose another with --metrics/,
    ],
  ];
  for (const [what, options, sentence] of cases) {
    it(what, async (t) => {
      const { code, output } = await runWorkerProgram(t, await nobody(), await options(t)).ended;
      assert.match(output, /^portcullis worker: [^\n]+\n$/);
      assert.match(output, sentence);
      assert.equal(code, 3);
    });
  }
});

describe('portcullis worker', () => {
  it('works although another user holds the port of its metrics, which come when it is free', async (t) => {
    const squatter = createServer();
    squatter.listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const bound = squatter.address();
    assert.ok(bound !== null && typeof bound === 'object');
    const metrics = `127.0.0.1:${bound.port}`;
    const temporal = await startTemporal({ dir, headless: true });
    t.after(() => temporal.stop());
    const program = runWorkerProgram(t, temporal.address, { metrics });
    assert.match(
      await program.said('the metrics are missing; the worker works without them'),
      /Address already in use/,
    );
    await program.said('"message":"ready"');
    squatter.close();
    await program.said('the metrics are there now');
    const scraped = await fetch(`http://${metrics}/metrics`);
    assert.match(await scraped.text(), /^temporal_worker_start\b/m);
    program.child.kill('SIGTERM');
    assert.equal((await program.ended).code, 0);
  });
});

describe('portcullis worker before Temporal is there', () => {
  it('waits, says so, and takes work once it is there; SIGTERM ends it', async (t) => {
    const port = await freePort();
    const program = runWorkerProgram(t, `127.0.0.1:${port}`);
    await program.said('Temporal is not there yet');
    const temporal = await startTemporal({ dir, port, headless: true });
    t.after(() => temporal.stop());
    await program.said('"message":"ready"');
    program.child.kill('SIGTERM');
    assert.equal((await program.ended).code, 0);
  });

  it('ends at SIGTERM and SIGINT', async (t) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const program = runWorkerProgram(t, await nobody());
      await program.said('Temporal is not there yet');
      program.child.kill(signal);
      assert.equal((await program.ended).code, 0);
    }
  });

  it('comes up without a policy directory, says so, and sees it come', async (t) => {
    const policy = join(dir, 'late-policy');
    const program = runWorkerProgram(t, await nobody(), { policy });
    assert.match(
      await program.said('policy is not valid'),
      /"level":"error".*expected a readable directory, found ENOENT; create it/,
    );
    await mkdir(`${policy}.new`);
    await writePolicy(`${policy}.new`, 'ghcr.io/example/**', release.publicPem);
    await rename(`${policy}.new`, policy);
    assert.match(await program.said('"message":"policy"'), /"policyRevision":"[0-9a-f]{64}","policies":1/);
  });

  it('comes up with an invalid policy, and says file and line; then picks up the changed one', async (t) => {
    const policy = join(dir, 'invalid-policy');
    await mkdir(policy);
    await writeFile(join(policy, 'demo.yaml'), 'kind: ClusterImagePolicy\nspec: [');
    const program = runWorkerProgram(t, await nobody(), { policy });
    assert.match(await program.said('policy is not valid'), /"problem":"demo\.yaml:2:\d+/);
    await writePolicy(policy, 'ghcr.io/example/**', release.publicPem);
    assert.match(await program.said('"message":"policy"'), /"policies":1/);
  });
});

describe('portcullis worker at SIGTERM', () => {
  it('lets the running checks end, and what is left to another worker', async (t) => {
    const temporal = await startTemporal({ dir, headless: true });
    t.after(() => temporal.stop());
    const registry = await startSlowRegistry(t);
    const leaving = runWorkerProgram(t, temporal.address);
    await leaving.said('"message":"ready"');
    const launcherSocket = join(dir, 'launcher.sock');
    const shim = await startShim({
      ...{ dir, temporal: temporal.address, verdictKeys: join(dir, 'verdict.pub') },
      ...{ launcherSocket, grpcSocket: join(dir, 'grpc.sock') },
    });
    t.after(() => shim.stop());
    const pull = pullThrough(launcherSocket, `${registry.address}/demo/app:${randomUUID()}`, digestOf('ab'));
    await registry.asked;
    leaving.child.kill('SIGTERM');
    const staying = await startWorker({ dir, temporal: temporal.address, policyDirectory, verdictKey });
    t.after(() => staying.stop());
    registry.goOn();
    assertRefused(await pull, 'UNSIGNED');
    const { code, output } = await leaving.ended;
    assert.equal(code, 0, output);
    assert.doesNotMatch(output, /"level":"error"/);
  });
});

/** A registry without content, which says so only after `goOn`. */
async function startSlowRegistry(t: TestContext) {
  const [asked, open] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const server = createServer((_, response) => {
    asked.resolve();
    void open.promise.then(() => response.writeHead(404).end());
  });
  const port = await freePort();
  await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening));
  t.after(() => server.close());
  return { address: `127.0.0.1:${port}`, asked: asked.promise, goOn: open.resolve };
}
