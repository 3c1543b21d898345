import type { LookupAddress } from 'node:dns';
import { readFile, stat } from 'node:fs/promises';
import { isIP } from 'node:net';
import { MAX_NAME_FILE_BYTES } from '../limits.ts';

/** The search list of `/etc/resolv.conf`, and how many dots make a name that is looked up as it is first. */
export interface SearchList {
  readonly domains: readonly string[];
  readonly dots: number;
}

/** What glibc reads as well: at most six domains, and at most 15 dots (resolv.conf(5)). */
const MAX_DOMAINS = 6;
const MAX_DOTS = 15;

/** Addresses by name in lower case, as in `/etc/hosts` (hosts(5)); IPv4 ones first. Without such a file there are none. */
export async function readHosts(path: string): Promise<ReadonlyMap<string, readonly LookupAddress[]>> {
  return await readOnChange(path, parseHosts);
}

/** Reads `search`, `domain` and `ndots` (resolv.conf(5)); the last of several lines counts. */
export async function readSearchList(path: string): Promise<SearchList> {
  return await readOnChange(path, parseSearchList);
}

/** The names that a name stands for, in the order of asking (resolv.conf(5)). A trailing dot means that it is whole. */
export function candidateNames(name: string, { domains, dots }: SearchList): readonly string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)];
  const searched = domains.map((domain) => `${name}.${domain}`).filter((one) => one.length <= 253);
  return name.split('.').length - 1 >= dots ? [name, ...searched] : [...searched, name];
}

function parseHosts(text: string): ReadonlyMap<string, readonly LookupAddress[]> {
  const hosts = new Map<string, LookupAddress[]>();
  for (const line of text.split('\n')) {
    const [address = '', ...names] = (line.split('#')[0] ?? '').trim().split(/\s+/);
    const family = isIP(address.split('%')[0] ?? '');
    if (family === 0) continue;
    for (const name of names) {
      const known = hosts.get(name.toLowerCase()) ?? [];
      known.push({ address, family });
      hosts.set(name.toLowerCase(), known);
    }
  }
  for (const addresses of hosts.values()) addresses.sort((a, b) => a.family - b.family);
  return hosts;
}

function parseSearchList(text: string): SearchList {
  let [domains, dots]: [readonly string[], number] = [[], 1];
  for (const line of text.split('\n')) {
    const [word, ...values] = (line.split(/[#;]/)[0] ?? '').trim().split(/\s+/);
    if (word === 'search' || word === 'domain') {
      domains = values.slice(0, word === 'domain' ? 1 : MAX_DOMAINS).map((one) => one.toLowerCase().replace(/\.$/, ''));
    }
    for (const value of word === 'options' ? values : []) {
      const found = /^ndots:(\d{1,3})$/.exec(value);
      if (found !== null) dots = Math.min(Number(found[1]), MAX_DOTS);
    }
  }
  return { domains: domains.filter((domain) => domain !== ''), dots };
}

interface Known {
  readonly stamp: string;
  readonly value: unknown;
}

const known = new Map<string, Known>();

/** A file that is read again when it changes; without it, as if it were empty. */
async function readOnChange<T>(path: string, parse: (text: string) => T): Promise<T> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || !found.isFile()) return parse('');
  const stamp = `${found.ino} ${found.size} ${found.mtimeMs}`;
  const key = `${parse.name} ${path}`;
  const before = known.get(key);
  // Each key belongs to one parser, so the value is of its type.
  if (before?.stamp === stamp) return before.value as T;
  const bytes = await readFile(path).catch(() => Buffer.alloc(0));
  const value = parse(bytes.subarray(0, MAX_NAME_FILE_BYTES).toString('utf8'));
  known.set(key, { stamp, value });
  return value;
}
