import type { LookupAddress, LookupOptions } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { MAX_LOOKUP_MS } from '../limits.ts';
import { candidateNames, readHosts, readSearchList } from './name-files.ts';

export interface NameLookupOptions {
  /** `address` or `address:port` of the name servers, instead of those of the system. */
  readonly servers?: readonly string[];
  readonly hostsFile?: string;
  readonly resolvConf?: string;
  /** One lookup, whatever the name servers do, in ms. */
  readonly timeoutMs?: number;
}

/** How long the second family of addresses is waited for once the first is there, in ms (RFC 8305 section 3). */
const RESOLUTION_DELAY_MS = 50;

/**
 * Looks names up without the thread pool: `getaddrinfo` of the system blocks one of the two threads that lookups may
 * use until its name servers answer, for every name that anybody chose, and no signal ends it. This one asks the name
 * servers through c-ares, in bounded time, any number at once. `/etc/hosts` counts first, then `localhost`, then DNS with the search list
 * of `/etc/resolv.conf`. What else `nsswitch.conf` may name (mDNS, NIS, LDAP) is not asked. IPv4 addresses come first.
 */
export function createNameLookup(options: NameLookupOptions = {}): LookupFunction {
  const { hostsFile = '/etc/hosts', resolvConf = '/etc/resolv.conf', timeoutMs = MAX_LOOKUP_MS, servers } = options;
  /** Those who ask for one name at the same time share the answer. */
  const running = new Map<string, Promise<readonly LookupAddress[]>>();

  const find = async (hostname: string): Promise<readonly LookupAddress[]> => {
    const name = hostname.toLowerCase();
    const bare = name.replace(/\.$/, '');
    const known = (await readHosts(hostsFile)).get(bare);
    if (known !== undefined) return known;
    if (bare === 'localhost' || bare.endsWith('.localhost')) return LOOPBACK;
    return await askServers(candidateNames(name, await readSearchList(resolvConf)), servers, timeoutMs);
  };
  const shared = (hostname: string): Promise<readonly LookupAddress[]> => {
    const under = running.get(hostname);
    if (under !== undefined) return under;
    const answer = find(hostname).finally(() => running.delete(hostname));
    running.set(hostname, answer);
    return answer;
  };

  return (hostname, asked, callback) => {
    shared(hostname).then(
      (addresses) => answer(hostname, addresses, asked, callback),
      (error: NodeJS.ErrnoException) => callback(error, []),
    );
  };
}

const LOOPBACK: readonly LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];

function answer(
  hostname: string,
  addresses: readonly LookupAddress[],
  { all, family }: LookupOptions,
  callback: Parameters<LookupFunction>[2],
): void {
  const wanted = family === 4 || family === 'IPv4' ? 4 : family === 6 || family === 'IPv6' ? 6 : undefined;
  const usable = addresses.filter((one) => wanted === undefined || one.family === wanted);
  const [first] = usable;
  if (first === undefined) callback(lookupError('ENOTFOUND', hostname), []);
  else if (all === true) callback(null, [...usable]);
  else callback(null, first.address, first.family);
}

/** Asks for one name after the other until one has addresses. */
async function askServers(
  names: readonly string[],
  servers: readonly string[] | undefined,
  timeoutMs: number,
): Promise<readonly LookupAddress[]> {
  // One for each lookup: it reads the system's configuration anew, and ends with the lookup.
  const resolver = new Resolver({ timeout: Math.ceil(timeoutMs / 4), tries: 2 });
  if (servers !== undefined) resolver.setServers([...servers]);
  const late = Promise.withResolvers<never>();
  const [name = ''] = names;
  const timer = setTimeout(() => late.reject(lookupError('ETIMEOUT', name)), timeoutMs);
  try {
    return await Promise.race([late.promise, firstWithAddresses(resolver, names)]);
  } finally {
    clearTimeout(timer);
    resolver.cancel();
  }
}

async function firstWithAddresses(resolver: Resolver, names: readonly string[]): Promise<readonly LookupAddress[]> {
  let failure: unknown = lookupError('ENOTFOUND', names[0] ?? '');
  for (const name of names) {
    try {
      return await bothFamilies(resolver, name);
    } catch (error) {
      // A name server that gives no answer to one name gives none to the next.
      if (!isAbsence(error)) throw error;
      failure = error;
    }
  }
  throw failure;
}

async function bothFamilies(resolver: Resolver, name: string): Promise<readonly LookupAddress[]> {
  const of = async (family: 4 | 6): Promise<readonly LookupAddress[]> => {
    const found = await (family === 4 ? resolver.resolve4(name) : resolver.resolve6(name));
    return found.filter((address) => isIP(address) === family).map((address) => ({ address, family }));
  };
  const [four, six] = [of(4), of(6)];
  // The slower one may fail after the answer was given.
  const quiet = [four.catch(() => []), six.catch(() => [])] as const;
  await Promise.any([four, six]).catch((error: AggregateError) => {
    const errors: readonly unknown[] = error.errors;
    throw errors.find((one) => !isAbsence(one)) ?? errors[0];
  });
  const delay = Promise.withResolvers<readonly LookupAddress[]>();
  const timer = setTimeout(() => delay.resolve([]), RESOLUTION_DELAY_MS);
  try {
    const found = await Promise.all(quiet.map((one) => Promise.race([one, delay.promise])));
    return [...(found[0] ?? []), ...(found[1] ?? [])];
  } finally {
    clearTimeout(timer);
  }
}

function isAbsence(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOTFOUND' || code === 'ENODATA';
}

function lookupError(code: string, hostname: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`lookup ${code} ${hostname}`), { code, syscall: 'lookup', hostname });
}
