import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTemporal } from '../../infra/stack/temporal.ts';

/** A Temporal development server of a test file's own. */
export interface DevServer {
  readonly address: string;
  stop(): Promise<void>;
}

export async function startDevServer(): Promise<DevServer> {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-temporal-'));
  const temporal = await startTemporal({ dir, headless: true });
  return {
    address: temporal.address,
    async stop() {
      await temporal.stop();
      await rm(dir, { recursive: true });
    },
  };
}
