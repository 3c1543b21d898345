import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createVerdictKey } from '../../activities/verdict-key/verdict-key.ts';
import { obtain } from '../tools/obtain.ts';
import { type Cosign, useCosign } from './cosign.ts';
import { startShim, startWorker } from './portcullis.ts';
import { freePort } from './ports.ts';
import type { ServerProcess } from './process.ts';
import { type RegistryKind, startRegistry } from './registry.ts';
import { startTemporal, type Temporal } from './temporal.ts';

/** Everything that one node and its backend need, running on this machine. */
export interface House {
  readonly dir: string;
  readonly registry: RunningRegistry;
  readonly temporal: Temporal;
  readonly cosign: Cosign;
  /** Images under `<registry>/demo/` must be signed by the key `release`. */
  readonly policyDirectory: string;
  readonly verdictKey: string;
  readonly verdictPublicKey: string;
  readonly launcherSocket: string;
  readonly grpcSocket: string;
  readonly worker: ServerProcess;
  readonly shim: ServerProcess;
  /** Stops Temporal; what it knows stays on disk. */
  stopTemporal(): Promise<void>;
  /** Brings it back under the same address. */
  resumeTemporal(): Promise<void>;
  stop(): Promise<void>;
}

/** A registry on loopback: a real one, or one with faults. */
export interface RunningRegistry {
  readonly address: string;
  stop(): Promise<void>;
}

export interface HouseOptions {
  /** A new folder that only its owner may write to. */
  readonly dir: string;
  /** Which to start, or one that runs already and is stopped with the house. */
  readonly registry?: RegistryKind | RunningRegistry;
  /** More files of the policy directory, by name, for the registry at this address. */
  readonly policies?: (registry: string) => Promise<Readonly<Record<string, string>>>;
  /** Added to the environment of the worker alone. */
  readonly workerEnv?: Readonly<Record<string, string>>;
  /** Internal hosts and ranges to which the worker may connect; without it, this machine. */
  readonly allowInternal?: readonly string[];
  /** More of the worker's command line. */
  readonly workerArgs?: readonly string[];
}

/** The key that the house's policy asks for. */
export const RELEASE_KEY = 'release';

/** Starts registry, Temporal, a worker and a shim. What was started is stopped when a later part does not come up. */
export async function startHouse(options: HouseOptions): Promise<House> {
  const { dir, registry: wanted = 'referrers', workerEnv = {}, workerArgs = [] } = options;
  const started: { stop(): Promise<void> }[] = [];
  const keep = <T extends { stop(): Promise<void> }>(server: T): T => {
    started.unshift(server);
    return server;
  };
  const stop = async () => {
    for (const server of started) await server.stop();
  };
  try {
    const { cosign: cosignBinary } = await obtain(['cosign']);
    const folders = { keys: join(dir, 'keys'), policy: join(dir, 'policy'), run: join(dir, 'run') };
    for (const folder of Object.values(folders)) await mkdir(folder, { mode: 0o700 });
    const files = {
      verdictKey: join(folders.keys, 'verdict.key'),
      verdictPublicKey: join(folders.keys, 'verdict.pub'),
    };
    await createVerdictKey(files.verdictKey, files.verdictPublicKey);
    const cosign = await useCosign(cosignBinary, folders.keys);
    const uiPort = await freePort();
    const dbFile = join(dir, 'temporal.db');
    const [registry, firstTemporal, publicKey] = await Promise.all([
      (typeof wanted === 'string' ? startRegistry({ dir, kind: wanted }) : Promise.resolve(wanted)).then(keep),
      startTemporal({ dir, dbFile, uiPort }),
      cosign.generateKeyPair(RELEASE_KEY),
    ]);
    let temporal = firstTemporal;
    keep({ stop: () => temporal.stop() });
    await writePolicy(folders.policy, `${registry.address}/demo/**`, publicKey);
    for (const [name, text] of Object.entries((await options.policies?.(registry.address)) ?? {})) {
      await writeFile(join(folders.policy, name), text);
    }
    const sockets = { launcherSocket: join(folders.run, 'launcher.sock'), grpcSocket: join(folders.run, 'grpc.sock') };
    const worker = keep(
      await startWorker({
        dir,
        temporal: temporal.address,
        policyDirectory: folders.policy,
        verdictKey: files.verdictKey,
        env: workerEnv,
        args: workerArgs,
        ...(options.allowInternal !== undefined && { allowInternal: options.allowInternal }),
      }),
    );
    const shim = keep(
      await startShim({ dir, temporal: temporal.address, verdictKeys: files.verdictPublicKey, ...sockets }),
    );
    return {
      ...{ dir, registry, temporal, cosign, worker, shim },
      policyDirectory: folders.policy,
      ...files,
      ...sockets,
      stopTemporal: () => temporal.stop(),
      async resumeTemporal() {
        temporal = await startTemporal({ dir, dbFile, port: temporal.port, uiPort });
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Replaces the policy by one document: images that match `glob` must be signed by `publicKey` (PEM). */
export async function writePolicy(directory: string, glob: string, publicKey: string): Promise<void> {
  const indented = publicKey.trimEnd().replaceAll('\n', '\n          ');
  const document = `apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata:
  name: demo
spec:
  images:
    - glob: "${glob}"
  authorities:
    - name: release
      key:
        data: |
          ${indented}
`;
  // in one step, because a worker may look at any moment
  await writeFile(join(directory, '.demo.yaml.new'), document);
  await rename(join(directory, '.demo.yaml.new'), join(directory, 'demo.yaml'));
}
