import { BlockList, isIP, type LookupFunction } from 'node:net';
import { canonicalRegistry } from '../../workflows/format/registry-host.ts';
import { type InternalKind, internalKind, isAddress, writtenKind } from './address-kind.ts';

/**
 * Which addresses a request may go to. `any` is for places that an operator named; `named` for a registry that an image's name chose, and `neighbour`
 * for where a private registry sends us, also on a private network; `referred` for where any other registry sends us: the public Internet.
 */
export type Reach = 'any' | 'named' | 'neighbour' | 'referred';

/** What an operator lists as reachable although it is internal. */
export interface ListedDestinations {
  /** Whether the host of a URL is listed, with its port or without one. */
  hasHost(url: URL): boolean;
  /** Whether an address is, or is in a range that is. */
  hasAddress(address: string): boolean;
}

export const NOTHING_LISTED: ListedDestinations = { hasHost: () => false, hasAddress: () => false };

let current: ListedDestinations = NOTHING_LISTED;

/** What is listed for this process. */
export function destinations(): ListedDestinations {
  return current;
}

/** Replaces it, for what is asked from now on; answers what was there before. */
export function useDestinations(replacement: ListedDestinations): ListedDestinations {
  const before = current;
  current = replacement;
  return before;
}

/** A registry, as the party that a request is made for. */
export interface Referrer {
  readonly url: URL;
  /** An operator wrote its URL, not the name of an image. */
  readonly configured?: boolean;
  /** The last host on the way from there, which sent us on. */
  readonly via?: URL;
}

/** Whether the host of a URL was reached at private addresses alone. */
export type IsPrivate = (url: URL) => boolean;

/** An address to which no connection may be made. Names what it is, and not what a name resolved to. */
export class InternalAddressError extends Error {
  override readonly name = 'InternalAddressError';
  readonly code = 'INTERNAL_ADDRESS';
  readonly kind: InternalKind;

  constructor(kind: InternalKind) {
    super(`connections to ${kind} addresses are not allowed`);
    this.kind = kind;
  }
}

/**
 * Reads a list of hosts (`minio.corp:9000`), addresses (`10.0.0.5`, `[::1]:5000`) and ranges (`10.0.0.0/8`). An entry without a port is for every
 * port; one with a port is compared with URLs as they are written. Answers the first entry of another form.
 */
export function parseDestinations(entries: readonly string[]): ListedDestinations | { readonly unknown: string } {
  const hosts = new Set<string>();
  const addresses = new BlockList();
  for (const entry of entries) {
    const [net = '', bits] = entry.replace(/^\[(.*)\](\/\d+)?$/, '$1$2').split('/');
    const family = isIP(net);
    const most = family === 4 ? 32 : 128;
    const host = canonicalHost(entry);
    if (
      family !== 0 &&
      !net.includes('%') &&
      (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most))
    ) {
      addresses.addSubnet(net, Number(bits ?? most), family === 4 ? 'ipv4' : 'ipv6');
    } else if (host !== undefined) hosts.add(host);
    else return { unknown: entry };
  }
  return {
    hasHost: ({ hostname, port, protocol }) => {
      const usual = protocol === 'http:' ? '80' : '443';
      return hosts.has(canonicalHost(hostname) ?? '') || hosts.has(canonicalHost(`${hostname}:${port || usual}`) ?? '');
    },
    hasAddress: (address) => {
      const [bare = ''] = address.replace(/^\[(.*)\]$/, '$1').split('%');
      return isIP(bare) !== 0 && addresses.check(bare, isIP(bare) === 4 ? 'ipv4' : 'ipv6');
    },
  };
}

/**
 * As far as a request for `referrer` may go to `url`. Its own host and port are where it is; from 80 to 443 is one place. A step from https to plain
 * HTTP leaves it: no certificate says that a name still leads to the same place, and a name server may have changed its mind. A registry that is
 * on a private network itself may refer to others there, such as its token service; what it refers to elsewhere may not.
 */
export function reachOf(url: URL, referrer: Referrer, listed: ListedDestinations, isPrivate: IsPrivate): Reach {
  if (listed.hasHost(url)) return 'any';
  if (isSameHost(url, referrer.url)) {
    if (referrer.configured === true) return 'any';
    if (url.protocol === referrer.url.protocol || url.protocol === 'https:') return 'named';
  }
  const { url: registry, via = registry } = referrer;
  return isPrivate(registry) && isPrivate(via) ? 'neighbour' : 'referred';
}

/** Why a URL is not requested, by what is written in it; names are judged by {@link mayConnect} when they are looked up. */
export function refusalOf(url: URL, reach: Reach, listed: ListedDestinations): InternalKind | undefined {
  const kind = writtenKind(url.hostname);
  const addresses = isAddress(url.hostname) ? [url.hostname] : ['127.0.0.1', '::1'];
  return kind === undefined || isPermitted(kind, reach) || addresses.some(listed.hasAddress) ? undefined : kind;
}

/** Looks names up, and answers only with addresses to which a connection may be made; without any, fails with an {@link InternalAddressError}. */
export function lookupWithin(lookup: LookupFunction, reach: Reach): LookupFunction {
  if (reach === 'any') return lookup;
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null || !Array.isArray(found)) return callback(error, found);
      const usable = found.filter(({ address }) => mayConnect(address, reach, current));
      const [first] = usable;
      if (first === undefined)
        return callback(new InternalAddressError(internalKind(found[0]?.address ?? '') ?? 'reserved'), []);
      if (options.all === true) return callback(null, usable);
      callback(null, first.address, first.family);
    });
  };
}

/** Whether a connection to an address that a name resolved to may be made. */
export function mayConnect(address: string, reach: Reach, listed: ListedDestinations): boolean {
  const kind = internalKind(address);
  return kind === undefined || isPermitted(kind, reach) || listed.hasAddress(address);
}

function isPermitted(kind: InternalKind, reach: Reach): boolean {
  return reach === 'any' || (reach !== 'referred' && kind === 'private');
}

function isSameHost(a: URL, b: URL): boolean {
  const isWeb = (url: URL) => url.port === '' || url.port === '80' || url.port === '443';
  const name = ({ hostname }: URL) => canonicalHost(hostname) ?? hostname;
  return name(a) === name(b) && (a.port === b.port || (isWeb(a) && isWeb(b)));
}

/** One spelling for a host with a port, or for a host alone. */
function canonicalHost(text: string): string | undefined {
  if (/^(?:\[[^\]]*\]|[^:[\]]+):\d+$/.test(text)) return portOf(text);
  return canonicalRegistry(`${text}:1`)?.replace(/:1$/, '');
}

function portOf(text: string): string | undefined {
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(text) ?? [];
  const name = canonicalHost(host);
  return name === undefined || Number(port) < 1 || Number(port) > 65_535 ? undefined : `${name}:${Number(port)}`;
}
