import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CanaryImage, MANIFEST_TYPE } from './artefact.ts';

/** A registry that has these images and takes nothing, on loopback, where containerd speaks plain HTTP by itself. */
export interface CanaryRegistry {
  /** `127.0.0.1:<port>`. */
  readonly address: string;
  stop(): Promise<void>;
}

const PATH = /^\/v2\/(?:(?<repository>[a-z/-]{1,100})\/(?<kind>manifests|blobs)\/(?<reference>[\w:.-]{1,100}))?$/;

/** Serves images by repository (OCI distribution spec 1.1, "Pull"): any tag, and the digest. */
export async function startCanaryRegistry(images: ReadonlyMap<string, CanaryImage>): Promise<CanaryRegistry> {
  const server = createServer((request, response) => {
    const { repository, kind, reference } = PATH.exec(request.url ?? '')?.groups ?? {};
    if (request.url === '/v2/') return void response.end();
    const image = repository === undefined ? undefined : images.get(repository);
    const isManifest = kind === 'manifests' && (reference === image?.digest || reference?.includes(':') === false);
    const bytes = isManifest ? image?.manifest : image?.blobs.get(kind === 'blobs' ? (reference ?? '') : '');
    if (image === undefined || bytes === undefined || !['GET', 'HEAD'].includes(request.method ?? '')) {
      return void response.writeHead(404).end();
    }
    response.writeHead(200, {
      'content-type': isManifest ? MANIFEST_TYPE : 'application/octet-stream',
      'content-length': bytes.length,
      'docker-content-digest': isManifest ? image.digest : reference,
    });
    response.end(request.method === 'HEAD' ? undefined : bytes);
  });
  await new Promise<void>((listening, failed) => {
    server.once('error', failed);
    server.listen(0, '127.0.0.1', () => listening());
  });
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return {
    address: `127.0.0.1:${port}`,
    stop: () =>
      new Promise((stopped) => {
        server.close(() => stopped());
        server.closeAllConnections();
      }),
  };
}
