import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type ConnectProxy, startConnectProxy } from '../support/connect-proxy.ts';
import { startNameServer } from '../support/name-server.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import type { Outcome } from './asker.ts';
import { type Asker, startAsker } from './askers.ts';
import { createAuthority } from './authorities.ts';
import { type Cell, CONDITIONS, type Condition, printRow, WORKER_CLIENTS, type WorkerClient } from './cells.ts';
import { addressOf, BEHIND, DIRECT } from './names.ts';
import { stage, type World } from './scenes.ts';
import { startServices } from './services.ts';
import { WORKER_TABLE } from './table.ts';

// Object.keys forgets that these are all there are.
const CLIENTS = Object.keys(WORKER_CLIENTS) as readonly WorkerClient[];
const ALL = Object.keys(CONDITIONS) as readonly Condition[];

/** Clients that share an environment, or a memory of their library, are asked one after the other. */
const GROUPS: readonly (readonly WorkerClient[])[] = [
  ['AWS KMS', 'AWS STS'],
  ['Google Cloud KMS', 'Google tokens'],
  ...CLIENTS.filter((client) => !/^(?:AWS|Google)/.test(client)).map((client) => [client]),
];

/** A token of the services ends after a second. */
const TOKEN_ENDS_MS = 1_100;

interface Tried {
  readonly outcomes: readonly Outcome[];
  readonly port: number;
}

interface Subject {
  readonly client: WorkerClient;
  readonly condition: Condition;
  readonly asker: Asker;
}

describe('the clients of a worker', () => {
  const stack = new AsyncDisposableStack();
  const tried = new Map<string, Tried>();
  /** What could not be tried. */
  const failed = new Map<string, Error>();
  const idOf = (client: WorkerClient, condition: Condition) => `${client} ${condition}`;
  let environment: Readonly<Record<string, string>>;
  let proxy: ConnectProxy;

  before(async () => {
    const folder = stack.use(await temporaryFolder());
    const [known, own, unknown] = [createAuthority('known'), createAuthority('own'), createAuthority('unknown')];
    const folderOf: World['folderOf'] = async (client, condition) => {
      const path = join(folder.path, idOf(client, condition).replaceAll(' ', '-'));
      await mkdir(path);
      return path;
    };
    const world: World = { stack, services: await startServices(stack), known, own, unknown, folderOf };
    await writeFile(join(folder.path, 'ca.pem'), known.pem);
    const names = await startNameServer((name) => {
      const address = addressOf(name);
      return address === undefined ? 'absent' : [address];
    });
    stack.defer(() => names.stop());
    proxy = await startConnectProxy({ route: (target) => target.replace(/^[^:]*/, '127.0.0.1') });
    stack.defer(() => proxy.stop());
    environment = { NODE_EXTRA_CA_CERTS: join(folder.path, 'ca.pem'), NETWORKS_NAME_SERVER: names.address };
    await tryAll(world);
  });
  after(() => stack.disposeAsync());

  function environmentOf(condition: Condition): Readonly<Record<string, string>> {
    const url = proxy.url;
    const proxies = { HTTP_PROXY: url, HTTPS_PROXY: url };
    if (condition === 'CONNECT proxy') return { ...environment, ...proxies };
    return condition === 'NO_PROXY' ? { ...environment, ...proxies, NO_PROXY: DIRECT } : environment;
  }

  async function tryAll(world: World): Promise<void> {
    const kinds = ['plain', 'CONNECT proxy', 'NO_PROXY'] as const;
    const started = await Promise.all(kinds.map(async (kind) => startShared(environmentOf(kind))));
    const [direct, proxied, excepted] = started;
    if (direct === undefined || proxied === undefined || excepted === undefined) throw new Error('expected three');
    const shared = (condition: Condition) =>
      condition === 'CONNECT proxy' ? proxied : condition === 'NO_PROXY' ? excepted : direct;
    await Promise.all(
      GROUPS.map(async (group) => {
        for (const client of group) {
          for (const condition of ALL) {
            if (WORKER_TABLE[client][condition].kind === 'does not apply') continue;
            const id = idOf(client, condition);
            await tryOne(world, { client, condition, asker: shared(condition) }).then(
              (found) => tried.set(id, found),
              (error: Error) => failed.set(id, error),
            );
          }
        }
      }),
    );
  }

  async function startShared(env: Readonly<Record<string, string>>): Promise<Asker> {
    const asker = await startAsker(env);
    stack.defer(() => asker.stop());
    return asker;
  }

  async function tryOne(world: World, { client, condition, asker }: Subject): Promise<Tried> {
    const scene = await stage(world, client, condition);
    // Its library keeps the place of its token service for the life of a process.
    const alone =
      client === 'Azure tokens'
        ? await startShared({ ...environmentOf(condition), NETWORKS_AZURE_ALONE: 'yes' })
        : undefined;
    const { ask } = alone ?? asker;
    const outcomes = [await ask(scene.question)];
    const first = scene.answered();
    if (scene.renew !== undefined) {
      assert.equal(outcomes[0]?.kind, 'success', `${scene.question.id}: with the first credential`);
      await scene.renew();
      await delay(TOKEN_ENDS_MS);
      outcomes.splice(0, 1, await ask(scene.question), await ask(scene.question));
      assert.ok(scene.answered() > first, `${scene.question.id}: the service was asked again`);
    }
    alone?.stop();
    return { outcomes, port: scene.port };
  }

  for (const client of CLIENTS) {
    for (const condition of ALL) {
      const cell = WORKER_TABLE[client][condition];
      if (cell.kind === 'does not apply') continue;
      it(`${client}, ${condition}: ${cell.kind}`, () => {
        const found = tried.get(idOf(client, condition));
        if (found === undefined) throw failed.get(idOf(client, condition)) ?? new Error('it was not tried');
        assertCell(cell, found);
        const through = proxy.targets().filter((target) => target.endsWith(`:${found.port}`));
        if (condition === 'CONNECT proxy')
          assert.ok(through.includes(`${BEHIND}:${found.port}`), 'it went another way');
        else assert.deepEqual(through, [], 'it went through the proxy');
      });
    }
  }

  it('have their finished table', (t) => {
    const saw = (client: WorkerClient) =>
      new Map(ALL.map((condition) => [condition, messageOf(tried.get(idOf(client, condition)))] as const));
    const table = CLIENTS.map((client) => printRow(client, WORKER_TABLE[client], saw(client))).join('\n');
    t.diagnostic(`\n${table}`);
    assert.equal(table.split('\n').length, CLIENTS.length * ALL.length);
  });
});

function messageOf(found: Tried | undefined): string {
  const [outcome] = found?.outcomes ?? [];
  return outcome?.kind === 'failure' ? outcome.message : '';
}

function assertCell(cell: Exclude<Cell, { kind: 'does not apply' }>, { outcomes }: Tried): void {
  const [first, second] = outcomes;
  assert.ok(first !== undefined);
  if (cell.kind === 'succeeds') {
    const last = cell.attempts === 2 ? second : first;
    assert.equal(last?.kind, 'success', JSON.stringify(last));
    return;
  }
  assert.ok(first.kind === 'failure', 'it succeeded');
  assert.deepEqual([first.code, first.retryable], [cell.code, cell.retryable], first.message);
  assert.match(first.message, cell.says);
  assert.doesNotMatch(first.message, /[-]credential\b|Bearer|secret|\n/, 'it shows a secret');
  assert.ok(first.ms < 7_000, `it took ${first.ms} ms`);
}
