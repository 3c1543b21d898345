import { isIPv4 } from 'node:net';
import { EvidenceError } from '../evidence-error.ts';

/** One place that serves a registry's content. */
export interface RegistryEndpoint {
  /** Scheme, host and port; a path stays in front of `/v2/`. */
  readonly url: URL;
  /** True for the registry itself. Only its answer proves that something is absent. */
  readonly origin: boolean;
}

/** The places to ask for a registry (`docker.io`, `127.0.0.1:5000`), in order; one of them is the origin. */
export type RegistryEndpoints = (registry: string) => readonly RegistryEndpoint[];

/**
 * The registry itself and no mirror. Plain HTTP is spoken only to loopback hosts and to the `plainHttp` ones
 * (`host` or `host:port`, exactly as in the image name). `docker.io` is served by `registry-1.docker.io`, as in
 * containerd 2 `core/remotes/docker/registry.go`.
 */
export function originOnly(plainHttp: readonly string[] = []): RegistryEndpoints {
  return (registry) => {
    const host = registry === 'docker.io' ? 'registry-1.docker.io' : registry;
    const scheme = isLoopback(host) || plainHttp.includes(registry) ? 'http' : 'https';
    if (!URL.canParse(`${scheme}://${host}/`)) {
      throw new EvidenceError('REQUEST_INVALID', `expected a registry host, got ${JSON.stringify(registry)}`, {
        retryable: false,
      });
    }
    return [{ url: new URL(`${scheme}://${host}/`), origin: true }];
  };
}

/** Decides on the spelling in the name: a URL parser would turn `0x7f.1` into a loopback address first. */
function isLoopback(host: string): boolean {
  const bare = host.replace(/:\d+$/, '');
  return bare === 'localhost' || bare === '[::1]' || (isIPv4(bare) && bare.startsWith('127.'));
}
