import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createVerdictKey } from '../../activities/verdict-key.ts';
import { obtain } from '../tools/obtain.ts';
import { type Cosign, useCosign } from './cosign.ts';
import { startShim, startWorker } from './portcullis.ts';
import { freePort } from './ports.ts';
import type { ServerProcess } from './process.ts';
import { type Registry, type RegistryKind, startRegistry } from './registry.ts';
import { startTemporal, type Temporal } from './temporal.ts';

/** Everything that one node and its backend need, running on this machine. */
export interface House {
  readonly dir: string;
  readonly registry: Registry;
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

export interface HouseOptions {
  /** A new folder that only its owner may write to. */
  readonly dir: string;
  readonly registry?: RegistryKind;
}

/** The key that the house's policy asks for. */
export const RELEASE_KEY = 'release';

/** Starts registry, Temporal, a worker and a shim. What was started is stopped when a later part does not come up. */
export async function startHouse({ dir, registry: kind = 'referrers' }: HouseOptions): Promise<House> {
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
    const [keys, policyDirectory, run] = ['keys', 'policy', 'run'].map((name) => join(dir, name)) as [
      string,
      string,
      string,
    ];
    for (const folder of [keys, policyDirectory, run]) await mkdir(folder, { recursive: true, mode: 0o700 });
    const files = { verdictKey: join(keys, 'verdict.key'), verdictPublicKey: join(keys, 'verdict.pub') };
    await createVerdictKey(files.verdictKey, files.verdictPublicKey);
    const cosign = await useCosign(cosignBinary, keys);
    const uiPort = await freePort();
    const dbFile = join(dir, 'temporal.db');
    const [registry, firstTemporal, publicKey] = await Promise.all([
      startRegistry({ dir, kind }).then(keep),
      startTemporal({ dir, dbFile, uiPort }),
      cosign.generateKeyPair(RELEASE_KEY),
    ]);
    let temporal = firstTemporal;
    keep({ stop: () => temporal.stop() });
    await writePolicy(policyDirectory, `${registry.address}/demo/**`, publicKey);
    const sockets = { launcherSocket: join(run, 'launcher.sock'), grpcSocket: join(run, 'grpc.sock') };
    const worker = keep(
      await startWorker({ dir, temporal: temporal.address, policyDirectory, verdictKey: files.verdictKey }),
    );
    const shim = keep(
      await startShim({ dir, temporal: temporal.address, verdictKeys: files.verdictPublicKey, ...sockets }),
    );
    return {
      ...{ dir, registry, temporal, cosign, policyDirectory, worker, shim },
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
