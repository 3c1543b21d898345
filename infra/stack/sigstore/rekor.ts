import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { obtain } from '../../tools/obtain.ts';
import { freePorts } from '../ports.ts';
import { type ServerProcess, startServer } from '../process.ts';
import { startTileServer } from './tile-server.ts';

/** A transparency log of Rekor's second generation, which serves tiles. */
export interface Rekor extends ServerProcess {
  /** Where entries are written to and tiles are read from. */
  readonly url: string;
  /** What its checkpoints are signed as. */
  readonly origin: string;
  /** Files of its keys, PEM. */
  readonly publicKey: string;
  readonly privateKey: string;
  /** The folder that it serves: `checkpoint` and `tile/`. */
  readonly tiles: string;
}

/** How often a checkpoint is published: a signer waits for the next one. */
const CHECKPOINT_INTERVAL = '200ms';

/** Starts Rekor with an empty log in `dir`, and a new Ed25519 key unless it gets that of another log to pass for. */
export async function startRekor(dir: string, otherKey?: string): Promise<Rekor> {
  const [port, grpcPort, metricsPort] = await freePorts(3);
  const privateKey =
    otherKey === undefined
      ? generateKeyPairSync('ed25519').privateKey
      : createPrivateKey(await readFile(otherKey, 'utf8'));
  const files = { privateKey: join(dir, 'rekor.key'), publicKey: join(dir, 'rekor.pub') };
  await writeFile(files.privateKey, privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
  await writeFile(files.publicKey, createPublicKey(privateKey).export({ format: 'pem', type: 'spki' }));
  const tiles = join(dir, 'tiles');
  await mkdir(tiles);
  const programs = await obtain(['rekor-tiles']);
  // signers take the host of the URL, without the port, for the name in the checkpoint
  const origin = '127.0.0.1';
  const writer = `http://127.0.0.1:${port}`;
  const server = await startServer({
    name: 'rekor',
    program: programs['rekor-tiles'],
    args: [
      ...['serve', `--hostname=${origin}`, `--signer-filepath=${files.privateKey}`, `--storage-dir=${tiles}`],
      ...[`--checkpoint-interval=${CHECKPOINT_INTERVAL}`, `--http-port=${port}`, `--grpc-port=${grpcPort}`],
      `--http-metrics-port=${metricsPort}`,
    ],
    dir,
    ready: async () => (await fetch(`${writer}/healthz`)).ok,
  });
  const front = await startTileServer({ tiles, writer });
  return {
    ...server,
    ...{ ...files, url: front.url, origin, tiles },
    async stop() {
      await front.stop();
      await server.stop();
    },
  };
}
