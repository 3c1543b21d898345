import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { startShim } from '../../infra/stack/portcullis.ts';
import { freePort } from '../../infra/stack/ports.ts';
import type { ServerProcess } from '../../infra/stack/process.ts';
import type { Digest } from '../../workflows/format/digest.ts';
import { pullThrough } from './pull.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { TEST_FLEET, type TestVerdictKey } from './verdicts.ts';

/** A node with the real daemon, whose backend never answers. */
export interface LonelyNode {
  /** Its state folder, which is made by the first start unless a test makes it. */
  readonly state: string;
  /** Its folder of verdict keys; the key of the test is `one.pub`. */
  readonly keys: string;
  /** Starts the daemon; the test ends it. */
  start(): Promise<LonelyDaemon>;
  /** Writes the bootstrap list. */
  list(...digests: readonly Digest[]): Promise<void>;
}

export interface LonelyDaemon {
  readonly process: ServerProcess;
  /** Exit code of the real launcher, and the code of the reason; `allow` without one. */
  pull(name: string, digest: Digest): Promise<string>;
  /** What its log has so far. */
  log(): Promise<string>;
  /** The value of one metric, with its labels; NaN where there is none. */
  metric(name: string): Promise<number>;
  stop(): Promise<void>;
}

export async function lonelyNode(t: TestContext, key: TestVerdictKey): Promise<LonelyNode> {
  const folder = await temporaryFolder();
  t.after(() => folder[Symbol.asyncDispose]());
  const at = (name: string) => join(folder.path, name);
  for (const name of ['keys', 'bootstrap']) await mkdir(at(name), { mode: 0o700 });
  await writeFile(join(at('keys'), 'one.pub'), key.publicKey.export({ type: 'spki', format: 'pem' }));
  const sockets = { launcherSocket: at('launcher.sock'), grpcSocket: at('grpc.sock') };
  return {
    state: at('state'),
    keys: at('keys'),
    list: (...digests) => writeFile(join(at('bootstrap'), 'node.list'), `${digests.join('\n')}\n`),
    async start() {
      const port = await freePort();
      const server = await startShim({
        ...{ dir: folder.path, temporal: `127.0.0.1:${await freePort()}`, verdictKeys: at('keys'), ...sockets },
        ...{ fleet: TEST_FLEET, state: at('state'), bootstrap: at('bootstrap'), metrics: `127.0.0.1:${port}` },
      });
      t.after(() => server.stop());
      return {
        process: server,
        async pull(name, digest) {
          const run = await pullThrough(sockets.launcherSocket, name, digest);
          return run.exitCode === 0 ? 'allow' : (/^[A-Z_]+/.exec(run.stdout)?.[0] ?? run.stdout);
        },
        log: () => readFile(server.log, 'utf8'),
        async metric(name) {
          const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
          const line = text.split('\n').find((one) => one.startsWith(`${name} `));
          return Number(line?.slice(name.length + 1) ?? Number.NaN);
        },
        stop: () => server.stop(),
      };
    },
  };
}
