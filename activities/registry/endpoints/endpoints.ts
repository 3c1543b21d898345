import { isIPv4 } from 'node:net';
import { canonicalRegistry } from '../../../workflows/format/registry-host.ts';
import { EvidenceError } from '../../evidence-error.ts';
import type { EndpointTls } from '../../http/connections.ts';

/** One place that serves a registry's content. */
export interface RegistryEndpoint {
  /** Scheme, host and port; a path is in front of what is asked for. */
  readonly url: URL;
  /** True for the registry itself. Only its answer proves that something is absent, and which tags and referrers there are. */
  readonly origin: boolean;
  /** An operator wrote its URL; otherwise the name of an image did. */
  readonly configured?: boolean;
  /** False when the path of `url` is all that is in front of `manifests/` and `blobs/`: containerd's `override_path`. */
  readonly hasApiPath?: boolean;
  /** The registry that a mirror is asked for, where it has to be told. */
  readonly namespace?: string;
  /** Sent with every request to this endpoint, and to no other. */
  readonly headers?: Readonly<Record<string, string>>;
  /** How to recognise it, and be recognised; without it as the system does. */
  readonly tls?: EndpointTls;
}

/** The places to ask for a registry (`docker.io`, `127.0.0.1:5000`), in order; one of them is the origin. */
export type RegistryEndpoints = (
  registry: string,
) => readonly RegistryEndpoint[] | Promise<readonly RegistryEndpoint[]>;

/**
 * The registry itself and no mirror. As in containerd 2 (`core/remotes/docker/config/hosts.go`), plain HTTP is spoken only
 * to loopback hosts that are named with a port, without one the port is 443, and `docker.io` is served by
 * `registry-1.docker.io`. Besides, plain HTTP is spoken to the `plainHttp` ones (`host` or `host:port` in any spelling).
 */
export function originOnly(plainHttp: readonly string[] = []): (registry: string) => readonly [RegistryEndpoint] {
  const plain = new Set(plainHttp.map((one) => canonicalRegistry(one) ?? one));
  return (registry) => {
    const host = registry === 'docker.io' ? 'registry-1.docker.io' : registry;
    const scheme = isLoopbackPort(host) || plain.has(registry) ? 'http' : 'https';
    if (!URL.canParse(`${scheme}://${host}/`)) {
      throw new EvidenceError('REQUEST_INVALID', `expected a registry host, got ${JSON.stringify(registry)}`, {
        retryable: false,
      });
    }
    return [{ url: new URL(`${scheme}://${host}/`), origin: true }];
  };
}

/** Where an endpoint has something, such as `demo/app/blobs/sha256:...`. */
export function urlAt({ url: base, hasApiPath = true, namespace }: RegistryEndpoint, path: string): URL {
  const url = new URL(base);
  const prefix = url.pathname.replace(/\/$/, '');
  url.pathname = `${prefix}${hasApiPath && !prefix.endsWith('/v2') ? '/v2' : ''}/${path}`;
  if (namespace !== undefined) url.searchParams.set('ns', namespace);
  return url;
}

/** Decides on the spelling in the name: a URL parser would turn `0x7f.1` into a loopback address first. */
function isLoopbackPort(host: string): boolean {
  const [, bare = ''] = /^(.+):\d+$/.exec(host) ?? [];
  return bare === 'localhost' || bare === '[::1]' || (isIPv4(bare) && bare.startsWith('127.'));
}
