import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { obtain } from '../tools/obtain.ts';
import { freePort } from './ports.ts';
import { type ServerProcess, startServer } from './process.ts';

/** `distribution` has no referrers API and keeps its content in `dir`; `referrers` has one and keeps it in memory. */
export type RegistryKind = 'distribution' | 'referrers';

export interface RegistryOptions {
  readonly dir: string;
  readonly kind: RegistryKind;
  /** Of a `distribution`: the `host:port` of the registry that it is a pull-through mirror of. */
  readonly mirrorOf?: string;
  /** Of a `distribution`: the URL below which its blobs are, to which it redirects. */
  readonly blobsAt?: string;
  /** A port that was used before, for a registry that comes back; otherwise a free one. */
  readonly port?: number;
}

export interface Registry extends ServerProcess {
  /** `127.0.0.1:port`, plain HTTP. */
  readonly address: string;
}

/** Starts a real registry on loopback, open to everybody there. Rejects as `startServer` does. */
export async function startRegistry(options: RegistryOptions): Promise<Registry> {
  const address = `127.0.0.1:${options.port ?? (await freePort())}`;
  const server = await startServer({
    name: `registry-${options.kind}${options.mirrorOf === undefined ? '' : '-mirror'}`,
    dir: options.dir,
    ...(await commandOf(options, address)),
    ready: async () => (await fetch(`http://${address}/v2/`)).ok,
  });
  return { ...server, address };
}

async function commandOf(options: RegistryOptions, address: string) {
  switch (options.kind) {
    case 'distribution': {
      const { registry } = await obtain(['registry']);
      // It sends traces to a collector on loopback unless told not to.
      const env = { OTEL_TRACES_EXPORTER: 'none' };
      return { program: registry, args: ['serve', await writeConfig(options, address)], env };
    }
    case 'referrers':
      return { program: (await obtain(['registry-referrers']))['registry-referrers'], args: [address] };
  }
}

/** A YAML file, and JSON is YAML. */
async function writeConfig({ dir, mirrorOf, blobsAt }: RegistryOptions, address: string): Promise<string> {
  const rootdirectory = join(dir, mirrorOf === undefined ? 'registry' : 'mirror');
  await mkdir(rootdirectory, { recursive: true });
  const file = `${rootdirectory}.yml`;
  const proxy = mirrorOf === undefined ? {} : { proxy: { remoteurl: `http://${mirrorOf}` } };
  const storage = { filesystem: { rootdirectory }, delete: { enabled: true } };
  const redirect = { storage: [{ name: 'redirect', options: { baseurl: blobsAt } }] };
  const middleware = blobsAt === undefined ? {} : { middleware: redirect };
  await writeFile(file, JSON.stringify({ version: '0.1', storage, http: { addr: address }, ...proxy, ...middleware }));
  return file;
}
