import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { obtain } from '../../tools/obtain.ts';
import type { SigstoreServices } from './services.ts';

const execute = promisify(execFile);

/** From when on the services are believed: before any of them was started. */
const START = 'start-time=2020-01-01T00:00:00Z';

/** The two files that tell cosign which services to sign by and what to verify against. */
export interface CosignFiles {
  readonly signingConfig: string;
  readonly trustedRoot: string;
}

/** Has cosign write its files about the services into `dir`. */
export async function writeCosignFiles(dir: string, services: SigstoreServices): Promise<CosignFiles> {
  const { cosign } = await obtain(['cosign']);
  const files = { signingConfig: join(dir, 'signing-config.json'), trustedRoot: join(dir, 'trusted-root.json') };
  const { fulcio, ctLog, rekor, rekorV1, timestampAuthority } = services;
  const service = (url: string, version: number) => `url=${url},api-version=${version},${START},operator=portcullis`;
  await execute(cosign, [
    ...['signing-config', 'create', '--out', files.signingConfig],
    ...['--fulcio', service(fulcio.url, 1), '--rekor', service(rekor.url, 2), '--rekor-config', 'ANY'],
    ...['--tsa', service(timestampAuthority.url, 1), '--tsa-config', 'ANY'],
  ]);
  const firstGeneration =
    rekorV1 === undefined ? [] : ['--rekor', `url=${rekorV1.url},public-key=${rekorV1.publicKey},${START}`];
  await execute(cosign, [
    ...['trusted-root', 'create', '--out', files.trustedRoot],
    ...['--fulcio', `url=${fulcio.url},certificate-chain=${fulcio.chain},${START}`],
    ...['--ctfe', `url=${ctLog.url},public-key=${ctLog.publicKey},${START}`],
    ...['--rekor', `url=${rekor.url},public-key=${rekor.publicKey},${START},origin=${rekor.origin}`],
    ...firstGeneration,
    ...['--tsa', `url=${timestampAuthority.url},certificate-chain=${timestampAuthority.chain},${START}`],
  ]);
  return files;
}
