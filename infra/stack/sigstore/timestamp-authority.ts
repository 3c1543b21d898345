import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { obtain } from '../../tools/obtain.ts';
import { freePort } from '../ports.ts';
import { type ServerProcess, startServer } from '../process.ts';

/** Signs what time it is (RFC 3161). */
export interface TimestampAuthority extends ServerProcess {
  /** Where timestamps are asked for. */
  readonly url: string;
  /** File of the certificate chain, PEM. */
  readonly chain: string;
}

/** Starts a timestamp authority with a new certificate chain that lives as long as the process. */
export async function startTimestampAuthority(dir: string): Promise<TimestampAuthority> {
  const port = await freePort();
  const api = `http://127.0.0.1:${port}/api/v1/timestamp`;
  const programs = await obtain(['timestamp-authority']);
  const server = await startServer({
    name: 'timestamp-authority',
    program: programs['timestamp-authority'],
    args: [`127.0.0.1:${port}`],
    dir,
    ready: async () => (await fetch(`${api}/certchain`)).ok,
  });
  const chain = join(dir, 'timestamp-authority.pem');
  await writeFile(chain, await (await fetch(`${api}/certchain`)).text());
  return { ...server, url: api, chain };
}
