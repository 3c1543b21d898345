import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { obtain } from '../../tools/obtain.ts';
import { freePort } from '../ports.ts';
import { type ServerProcess, startServer } from '../process.ts';

/** Signs certificate timestamps, which is what Fulcio wants of a CT log. */
export interface CtLog extends ServerProcess {
  readonly url: string;
  /** File of the public key, PEM. */
  readonly publicKey: string;
}

/** Starts a CT log with a new P-256 key, in `dir`. */
export async function startCtLog(dir: string): Promise<CtLog> {
  const port = await freePort();
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const files = { privateKey: join(dir, 'ct-log.key'), publicKey: join(dir, 'ct-log.pub') };
  await writeFile(files.privateKey, privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
  await writeFile(files.publicKey, publicKey.export({ format: 'pem', type: 'spki' }));
  const programs = await obtain(['ct-log']);
  const url = `http://127.0.0.1:${port}`;
  const server = await startServer({
    name: 'ct-log',
    program: programs['ct-log'],
    args: [`127.0.0.1:${port}`, files.privateKey],
    dir,
    ready: async () => (await fetch(url)).status === 404,
  });
  return { ...server, url, publicKey: files.publicKey };
}
