import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { startTemporal } from '../../infra/stack/temporal.ts';

/** A Temporal development server of a test file's own. */
export interface DevServer {
  readonly address: string;
  /** Looks at its runs from outside, as its UI does. */
  readonly client: Client;
  stop(): Promise<void>;
}

export async function startDevServer(): Promise<DevServer> {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-temporal-'));
  const temporal = await startTemporal({ dir, headless: true });
  const { address } = temporal;
  const connection = await Connection.connect({ address });
  return {
    address,
    client: new Client({ connection }),
    async stop() {
      await connection.close();
      await temporal.stop();
      await rm(dir, { recursive: true });
    },
  };
}
