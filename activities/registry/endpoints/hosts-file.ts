import { parse } from 'smol-toml';
import { isRecord } from '../../../workflows/format/record.ts';
import { MAX_REGISTRY_MIRRORS } from '../../limits.ts';

/** What `hosts.toml` says of one place. Paths of files are as they are written there. */
export interface HostEntry {
  /** `https://mirror.example/path`, with a scheme. */
  readonly url: string;
  /** Whether images are fetched there. */
  readonly pulls: boolean;
  /** Whether it may say what a tag is. */
  readonly resolves: boolean;
  readonly authorities: readonly string[];
  readonly clients: readonly { readonly certificate: string; readonly key: string }[];
  readonly skipVerify: boolean;
  readonly overridePath: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

export interface HostsFile {
  /** In their order. */
  readonly mirrors: readonly HostEntry[];
  /** What stands for the registry itself; `url` is empty where the file names no `server`. */
  readonly origin: HostEntry;
}

/** What a place can do (containerd 2.4 `parseHostConfig`): all of it where its list is empty or missing. */
const CAPABILITIES = ['pull', 'resolve', 'push', 'referrers'];

/** Keys of a place; `dial_timeout` is read by containerd, and our own limits are shorter. */
const KEYS = ['capabilities', 'ca', 'client', 'skip_verify', 'header', 'override_path', 'dial_timeout'];

/**
 * Parses `hosts.toml` as containerd 2.4 reads it (core/remotes/docker/config/hosts.go, docs/hosts.md). Answers one sentence that
 * names the key when something is not as expected: what can't be honoured must not be passed over.
 */
export function parseHostsFile(text: string): HostsFile | string {
  let toml: Record<string, unknown>;
  try {
    toml = parse(text);
  } catch {
    return 'expected TOML, found something else';
  }
  const { server = '', host = {}, ...own } = toml;
  if (typeof server !== 'string') return 'server: expected a URL or a host';
  if (!isRecord(host)) return 'host: expected tables [host."URL"]';
  const names = Object.keys(host);
  if (names.length > MAX_REGISTRY_MIRRORS) return `host: expected at most ${MAX_REGISTRY_MIRRORS} tables, found more`;
  const origin = parseEntry('', server === '' ? '' : withScheme(server), own);
  if (typeof origin === 'string') return origin;
  const mirrors: HostEntry[] = [];
  for (const name of names) {
    const entry = parseEntry(`host.${JSON.stringify(name)}.`, withScheme(name), host[name]);
    if (typeof entry === 'string') return entry;
    if (entry.pulls) mirrors.push(entry);
  }
  return { mirrors, origin };
}

function withScheme(text: string): string {
  return /^https?:\/\//.test(text) ? text : `https://${text}`;
}

function parseEntry(at: string, url: string, value: unknown): HostEntry | string {
  if (!isRecord(value)) return `${at.slice(0, -1)}: expected a table`;
  const unknown = Object.keys(value).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) return `${at}${unknown}: expected one of ${KEYS.join(', ')}`;
  if (url !== '' && !isPlace(url))
    return `${at || 'server'}: expected a URL of a host without user, query and fragment`;
  const capabilities = parseCapabilities(value['capabilities'] ?? []);
  const authorities = texts(value['ca'] ?? []);
  const clients = parseClients(value['client'] ?? []);
  const headers = parseHeaders(value['header'] ?? {});
  const { skip_verify: skipVerify = false, override_path: overridePath = false } = value;
  if (capabilities === undefined) return `${at}capabilities: expected a list of ${CAPABILITIES.join(', ')}`;
  if (authorities === undefined) return `${at}ca: expected a path or a list of paths`;
  if (clients === undefined) return `${at}client: expected a path, a list of paths, or a list of [certificate, key]`;
  if (headers === undefined) return `${at}header: expected names with a text or a list of texts, without line breaks`;
  if (typeof skipVerify !== 'boolean') return `${at}skip_verify: expected true or false`;
  if (typeof overridePath !== 'boolean') return `${at}override_path: expected true or false`;
  const can = { pulls: capabilities.includes('pull'), resolves: capabilities.includes('resolve') };
  return { url, ...can, authorities, clients, skipVerify, overridePath, headers };
}

function isPlace(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { username, password, search, hash } = new URL(text);
  return [username, password, search, hash].every((part) => part === '');
}

function parseCapabilities(value: unknown): readonly string[] | undefined {
  const list = Array.isArray(value) ? texts(value)?.map((one) => one.toLowerCase()) : undefined;
  if (list?.every((one) => CAPABILITIES.includes(one)) !== true) return undefined;
  return list.length === 0 ? CAPABILITIES : list;
}

/** One text is a list of one. */
function texts(value: unknown): readonly string[] | undefined {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.length <= MAX_REGISTRY_MIRRORS && list.every((one) => typeof one === 'string' && one !== '')
    ? list.map(String)
    : undefined;
}

/** A file alone holds certificate and key. */
function parseClients(value: unknown): HostEntry['clients'] | undefined {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  const pairs = list.map((one) => texts(one) ?? []);
  if (list.length > MAX_REGISTRY_MIRRORS || pairs.some(({ length }) => length < 1 || length > 2)) return undefined;
  return pairs.map(([certificate = '', key = certificate]) => ({ certificate, key }));
}

/** Header names by RFC 9110; who we are is told by credentials, and not by a file that everybody may read. */
function parseHeaders(value: unknown): Readonly<Record<string, string>> | undefined {
  if (!isRecord(value)) return undefined;
  const headers: Record<string, string> = {};
  for (const [name, given] of Object.entries(value)) {
    const list = texts(given);
    const isName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/.test(name);
    if (!isName || list === undefined || list.some((text) => !/^[\t\x20-\x7e]{1,4096}$/.test(text))) return undefined;
    headers[name] = list.join(', ');
  }
  return headers;
}
