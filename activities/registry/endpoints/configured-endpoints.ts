import { readdir } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { canonicalRegistry } from '../../../workflows/format/registry-host.ts';
import { EvidenceError } from '../../evidence-error.ts';
import type { EndpointTls } from '../../http/connections.ts';
import { MAX_HOSTS_FILE_BYTES, MAX_REGISTRY_MIRRORS } from '../../limits.ts';
import { readConfiguredFile } from './configured-file.ts';
import { originOnly, type RegistryEndpoint, type RegistryEndpoints, urlAt } from './endpoints.ts';
import { type HostEntry, type HostsFile, parseHostsFile } from './hosts-file.ts';

/**
 * The places of a registry as containerd's folders of registries have them (`certs.d`): mirrors in their order, then the registry
 * itself, which is what `server` names. The first folder that knows the registry counts. Files are read for each question, so that
 * a change counts at once. Rejects with REGISTRY_ERROR, naming file and key, for what can't be honoured.
 */
export function configuredEndpoints(folders: readonly string[], plainHttp: readonly string[]): RegistryEndpoints {
  const origin = originOnly(plainHttp);
  return async (registry) => {
    const [usual] = origin(registry); // refuses what is no host before it becomes a path
    for (const root of folders) {
      for (const name of await folderNames(root, registry)) {
        const found = await readFolder(join(root, name));
        if (found !== undefined) return await toEndpoints(registry, usual, found);
      }
    }
    return [usual];
  };
}

/**
 * By which names a folder is looked for (containerd 2.4 `hostPaths`): `host_5000_` is for file systems without colons. A
 * folder in another spelling of the same registry counts after those: containerd finds it by a name that is spelt so.
 */
async function folderNames(root: string, registry: string): Promise<readonly string[]> {
  if (!/^[\w[][\w.:[\]-]*$/.test(registry)) return []; // no name of a folder that anybody made
  const [, host, port] = /^(.*):(\d+)$/.exec(registry) ?? [];
  const usual = [...(host === undefined ? [] : [`${host}_${port}_`]), registry];
  const others = registry === 'docker.io' ? [] : await readdir(root).catch(() => []);
  const spelt = others.filter((name) => !usual.includes(name) && registryOfFolder(name) === registry);
  return [...usual, ...spelt.toSorted(), '_default'];
}

function registryOfFolder(name: string): string | undefined {
  return canonicalRegistry(name.replace(/_(\d+)_$/, ':$1'));
}

interface FoundFolder {
  readonly path: string;
  readonly hosts: HostsFile;
}

async function readFolder(path: string): Promise<FoundFolder | undefined> {
  const file = join(path, 'hosts.toml');
  const text = await readText(file);
  if (text !== undefined && text !== '') {
    const hosts = parseHostsFile(text);
    if (typeof hosts === 'string') throw unusable(file, hosts);
    return { path, hosts };
  }
  const names = await readdir(path).catch(() => []);
  const certificates = names.filter((name) => /\.(crt|cert)$/.test(name)).toSorted();
  return certificates.length === 0 ? undefined : { path, hosts: dockerStyle(path, certificates, new Set(names)) };
}

/** A folder of docker's: `*.crt` are authorities, `NAME.cert` and `NAME.key` a client's. Without a key file the certificate's holds both. */
function dockerStyle(path: string, certificates: readonly string[], names: ReadonlySet<string>): HostsFile {
  if (certificates.length > MAX_REGISTRY_MIRRORS)
    throw unusable(path, `expected at most ${MAX_REGISTRY_MIRRORS} certificates`);
  const clients = certificates
    .filter((name) => name.endsWith('.cert'))
    .map((certificate) => ({ certificate, key: certificate.replace(/\.cert$/, '.key') }))
    .map(({ certificate, key }) => ({ certificate, key: names.has(key) ? key : certificate }));
  const authorities = certificates.filter((name) => name.endsWith('.crt'));
  const none = { url: '', pulls: true, resolves: true, skipVerify: false, overridePath: false, headers: {} };
  return { mirrors: [], origin: { ...none, authorities, clients } };
}

/**
 * The mirrors and the registry itself. Tables of the registry's own host say how it is reached: the registry is asked there
 * before it is asked where `server` says, and there it is shown and told the same.
 */
async function toEndpoints(
  registry: string,
  usual: RegistryEndpoint,
  { path, hosts }: FoundFolder,
): Promise<readonly RegistryEndpoint[]> {
  const server: Place = { url: hosts.origin.url === '' ? usual.url : served(hosts.origin.url), entry: hosts.origin };
  const tables: readonly Place[] = hosts.mirrors.map((entry) => ({ url: served(entry.url), entry }));
  const own = tables.filter(({ url }) => isSamePlace(url, server.url));
  const isServer = (place: Place) => own.includes(place) && rootOf(place) === rootOf(server);
  const isRegistry = (place: Place) => own.includes(place) && (place.entry.resolves || isApiRoot(place));
  const toEndpoint = async ({ url, entry }: Place, origin: boolean): Promise<readonly RegistryEndpoint[]> => {
    const tls = await tlsOf(path, entry);
    const endpoint = {
      ...{ url, origin, configured: entry.url !== '', hasApiPath: !entry.overridePath, headers: entry.headers },
      ...(!isSamePlace(url, usual.url) && { namespace: registry }),
      ...(tls !== undefined && { tls }),
    };
    const secure = tls === undefined ? undefined : overTls(url);
    return secure === undefined ? [endpoint] : [{ ...endpoint, url: secure }, endpoint];
  };
  const isTold = own.some((place) => isServer(place) && isRegistry(place));
  const last = own.reduceRight<Place>((known, table) => told(known, table), server);
  const found = await Promise.all([
    ...tables.map((place) => toEndpoint(isServer(place) ? told(server, place) : place, isRegistry(place))),
    ...(isTold ? [] : [toEndpoint(last, true)]),
  ]);
  return found.flat();
}

/** A place of plain HTTP with settings for TLS is asked by TLS first, as containerd does; port 80 means plain HTTP. */
function overTls(url: URL): URL | undefined {
  if (url.protocol !== 'http:' || url.port === '') return undefined;
  const secure = new URL(url);
  secure.protocol = 'https:';
  return secure;
}

/** Where a table or `server` says that something is. */
interface Place {
  readonly url: URL;
  readonly entry: HostEntry;
}

/** The same place, reached as both say; where they differ, as the second says. */
function told({ url, entry }: Place, { entry: more }: Place): Place {
  return {
    url,
    entry: {
      ...entry,
      url: entry.url === '' ? more.url : entry.url,
      authorities: [...new Set([...entry.authorities, ...more.authorities])],
      clients: [...entry.clients, ...more.clients],
      skipVerify: entry.skipVerify || more.skipVerify,
      headers: { ...entry.headers, ...more.headers },
    },
  };
}

const rootOf = ({ url, entry }: Place) => urlAt({ url, origin: true, hasApiPath: !entry.overridePath }, '').href;
const isApiRoot = (place: Place) => new URL(rootOf(place)).pathname === '/v2/';

/** Whether two URLs name one host and port, in any spelling, also where only one of them means TLS. */
function isSamePlace(a: URL, b: URL): boolean {
  const names = ({ host, hostname, port, protocol }: URL) =>
    [host, `${hostname}:${port === '' && protocol === 'http:' ? 80 : port || 443}`].map(canonicalRegistry);
  const known = names(b);
  return names(a).some((name) => name !== undefined && known.includes(name));
}

/** Docker Hub is served elsewhere than its name says, also where a file names it. */
function served(text: string): URL {
  const url = new URL(text);
  if (url.host === 'docker.io') url.host = 'registry-1.docker.io';
  return url;
}

async function tlsOf(folder: string, entry: HostEntry): Promise<EndpointTls | undefined> {
  const { authorities, clients, skipVerify } = entry;
  if (authorities.length === 0 && clients.length === 0 && !skipVerify) return undefined;
  const read = (name: string) => readPem(isAbsolute(name) ? name : join(folder, name));
  return {
    authorities: await Promise.all(authorities.map(read)),
    clients: await Promise.all(
      clients.map(async ({ certificate, key }) => ({ certificate: await read(certificate), key: await read(key) })),
    ),
    skipVerify,
  };
}

async function readPem(path: string): Promise<string> {
  const text = await readText(path);
  if (text?.includes('-----BEGIN ') === true) return text;
  throw unusable(path, `expected PEM, found ${text === undefined ? 'no file' : 'something else'}`);
}

function readText(path: string): Promise<string | undefined> {
  return readConfiguredFile({ path, mostBytes: MAX_HOSTS_FILE_BYTES, own: true, unusable });
}

function unusable(path: string, found: string): EvidenceError {
  return new EvidenceError('REGISTRY_ERROR', `registry hosts: ${path}: ${found}`, { retryable: false });
}
