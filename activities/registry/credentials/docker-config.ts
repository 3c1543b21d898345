import { isRecord } from '../../../workflows/format/record.ts';
import { canonicalRegistry } from '../../../workflows/format/registry-host.ts';
import type { Credential } from './credential.ts';

/** What a docker `config.json` says about credentials, parsed. */
export interface DockerConfig {
  readonly auths: ReadonlyMap<string, Credential>;
  readonly credHelpers: ReadonlyMap<string, string>;
  readonly credsStore: string | undefined;
}

/** Where the credential of a host is. */
export interface CredentialPlace {
  /** Program `docker-credential-<helper>` to ask first. */
  readonly helper: string | undefined;
  /** What the helper calls the host. */
  readonly server: string;
  /** From `auths`; what counts without a helper, or when the helper knows nothing. */
  readonly credential: Credential;
}

const DOCKER_HUB = 'https://index.docker.io/v1/';
const HELPER = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/**
 * Parses `config.json` as docker/cli v28 `cli/config/configfile/file.go` reads it. Answers one sentence that names the
 * field, and never its content, when something is not as expected.
 */
export function parseDockerConfig(text: string): DockerConfig | string {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return 'expected JSON, found something else';
  }
  if (!isRecord(json)) return 'expected a JSON object';
  const auths = new Map<string, Credential>();
  for (const [key, value] of Object.entries(recordOrEmpty(json['auths']) ?? { '': undefined })) {
    const credential = parseAuth(value);
    if (credential === undefined) return `expected auths[${JSON.stringify(key)}] to hold base64 of user:password`;
    auths.set(key, credential);
  }
  const credHelpers = new Map<string, string>();
  for (const [key, value] of Object.entries(recordOrEmpty(json['credHelpers']) ?? { '': undefined })) {
    if (!isHelper(value)) return `expected credHelpers[${JSON.stringify(key)}] to be the name of a helper`;
    credHelpers.set(key, value);
  }
  const store = json['credsStore'] ?? '';
  if (store !== '' && !isHelper(store)) return 'expected credsStore to be the name of a helper';
  return { auths, credHelpers, credsStore: store === '' ? undefined : store };
}

/**
 * Finds where the credential of a repository is: its host's own helper, else the store, else `auths`. There a key may be for a part of
 * a host, and the longest counts (containers-auth.json(5)); old keys are URLs. Hosts are compared in their one spelling.
 */
export function placeOf(config: DockerConfig, host: string, repository = ''): CredentialPlace {
  const registry = canonicalRegistry(host);
  const server = registry === 'docker.io' ? DOCKER_HUB : host;
  const isOwn = (key: string) => key === host || (registry !== undefined && canonicalRegistry(key) === registry);
  const [, helper = config.credHelpers.get(server)] = [...config.credHelpers].find(([key]) => isOwn(key)) ?? [];
  const auths = [...config.auths].filter(([key]) => isOwn(partsOfKey(key).host));
  return {
    helper: helper ?? config.credsStore,
    server,
    credential: credentialOf(auths, server, repository) ?? { kind: 'anonymous' },
  };
}

/** Of `host/part/of/the/repository` the longest; of two keys that say the same, that by which docker names the server, else the first. */
function credentialOf(
  auths: readonly (readonly [string, Credential])[],
  server: string,
  repository: string,
): Credential | undefined {
  const covering = auths.filter(([key]) => {
    const { part } = partsOfKey(key);
    return part === '' || `${repository}/`.startsWith(`${part}/`);
  });
  const rank = ([key]: readonly [string, Credential]) => partsOfKey(key).part.length * 2 + (key === server ? 1 : 0);
  const [best] = covering.toSorted((a, b) => rank(b) - rank(a));
  return best?.[1];
}

/** `host`, `host/part`, or a URL of docker's old ones with its version, which is for the whole host. */
function partsOfKey(key: string): { readonly host: string; readonly part: string } {
  const [, scheme, host = '', path = ''] = /^(https?:\/\/)?([^/]*)\/?(.*?)\/?$/.exec(key) ?? [];
  return { host, part: scheme !== undefined || /^v[12]$/.test(path) ? '' : path };
}

function parseAuth(value: unknown): Credential | undefined {
  if (!isRecord(value)) return undefined;
  const { identitytoken, registrytoken, auth, username, password } = value;
  if (isFilled(identitytoken)) return { kind: 'identity-token', token: identitytoken };
  if (isFilled(registrytoken)) return { kind: 'registry-token', token: registrytoken };
  if (isFilled(username) && typeof password === 'string') return { kind: 'password', username, password };
  if (auth === undefined || auth === '') return { kind: 'anonymous' };
  if (typeof auth !== 'string' || !/^[A-Za-z0-9+/]+={0,2}$/.test(auth)) return undefined;
  const pair = Buffer.from(auth, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon < 1) return undefined;
  // docker pads with NUL bytes, and strips them when it reads.
  return { kind: 'password', username: pair.slice(0, colon), password: pair.slice(colon + 1).replace(/\0+$/, '') };
}

function isHelper(value: unknown): value is string {
  return typeof value === 'string' && HELPER.test(value);
}

function isFilled(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

/** An absent object is empty; anything that is no object is `undefined`. */
function recordOrEmpty(value: unknown): Record<string, unknown> | undefined {
  if (value === undefined || value === null) return {};
  return isRecord(value) ? value : undefined;
}
