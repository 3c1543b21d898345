/** A connection that a program wants to make. */
export interface ProxyTarget {
  readonly scheme: 'http' | 'https';
  /** A name or an address; IPv6 with or without brackets. */
  readonly host: string;
  readonly port: number;
}

/** How a connection is made: to the target itself, or through a proxy. */
export type ProxyChoice = { readonly kind: 'direct' } | ChosenProxy;

export interface ChosenProxy {
  readonly kind: 'proxy';
  /** The connection to the proxy itself is encrypted. */
  readonly scheme: 'http' | 'https';
  /** As in a URL: IPv6 in brackets. */
  readonly host: string;
  readonly port: number;
  /** `scheme://host:port`, without credentials. */
  readonly url: string;
  /** `host:port`, for messages. */
  readonly label: string;
  /** Secrets: sent to the proxy, never printed. */
  readonly credentials?: { readonly username: string; readonly password: string };
}

/** The variables of a process, or an empty object where proxies are switched off. */
export type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

/** A variable that names a proxy has a value that can't be used. The message holds nothing of the value. */
export class ProxySettingError extends Error {
  readonly code = 'PROXY_SETTING';
  readonly variable: string;

  constructor(variable: string, problem: string) {
    super(`${variable}: ${problem}`);
    this.name = 'ProxySettingError';
    this.variable = variable;
  }
}

const DIRECT = { kind: 'direct' } as const;
/** In the order in which Go reads them: what is set and not empty first counts. */
const VARIABLES = { http: ['HTTP_PROXY', 'http_proxy'], https: ['HTTPS_PROXY', 'https_proxy'] } as const;
const NO_PROXY = ['NO_PROXY', 'no_proxy'] as const;
const DEFAULT_PORTS = { http: 80, https: 443 } as const;
/** Longer than any URL with credentials, in characters. */
const MAX_PROXY_URL = 4_096;

/**
 * Which proxy a connection goes through, by `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` in both spellings. The rule is that
 * of Go (golang.org/x/net/http/httpproxy), because containerd obeys it on the same node. Beyond Go, link-local addresses,
 * the metadata services of clouds and every name of `localhost` are never proxied: they mean this machine. Throws a
 * {@link ProxySettingError} where the variable that applies names no proxy.
 */
export function proxyFor(target: ProxyTarget, environment: ProxyEnvironment): ProxyChoice {
  const found = firstSet(environment, VARIABLES[target.scheme]);
  if (found === undefined) return DIRECT;
  const host = bareHost(target.host);
  const address = parseAddress(host);
  if (address === undefined ? isLocalName(host) : isLocalAddress(address)) return DIRECT;
  const exceptions = firstSet(environment, NO_PROXY)?.value ?? '';
  if (isException(exceptions, { host, address, port: String(target.port) })) return DIRECT;
  // The header "Proxy:" of a request becomes HTTP_PROXY of a CGI program (CVE-2016-5385).
  if (target.scheme === 'http' && environment['REQUEST_METHOD']) {
    throw new ProxySettingError(found.name, 'not used while REQUEST_METHOD is set, as in CGI; unset REQUEST_METHOD');
  }
  return parseProxy(found.name, found.value);
}

/** The first mistake in the variables that name proxies, to find it before a connection does; holds nothing of a value. */
export function proxyProblem(environment: ProxyEnvironment): string | undefined {
  try {
    for (const names of Object.values(VARIABLES)) {
      const found = firstSet(environment, names);
      if (found !== undefined) parseProxy(found.name, found.value);
    }
    return undefined;
  } catch (error) {
    if (error instanceof ProxySettingError) return error.message;
    throw error;
  }
}

function firstSet(environment: ProxyEnvironment, names: readonly string[]) {
  for (const name of names) {
    const value = environment[name];
    if (value !== undefined && value !== '') return { name, value };
  }
  return undefined;
}

/** `http://` where the value has no scheme. Path and query mean nothing to a proxy and are left out. */
function parseProxy(variable: string, value: string): ChosenProxy {
  const text = value.trim();
  const wrong = (problem: string) => new ProxySettingError(variable, problem);
  const expected = 'set it to a URL such as http://proxy.example:3128';
  if (text.length > MAX_PROXY_URL || hasControls(text)) throw wrong(`the value is not a URL; ${expected}`);
  const [, named] = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text) ?? [];
  const full = named === undefined ? `http://${text}` : text;
  if (!/^https?$/i.test(named ?? 'http')) {
    throw wrong(`only proxies at http:// and https:// are supported; ${expected}`);
  }
  if (!/^[a-z]+:\/\/[^/\\?#]/i.test(full) || !URL.canParse(full)) throw wrong(`the value is not a URL; ${expected}`);
  const { protocol, hostname, port: digits, username, password } = new URL(full);
  const scheme = protocol === 'https:' ? 'https' : 'http';
  const port = digits === '' ? DEFAULT_PORTS[scheme] : Number(digits);
  if (port === 0) throw wrong(`the port is 0; ${expected}`);
  const label = `${hostname}:${port}`;
  const place = { kind: 'proxy', scheme, host: hostname, port, url: `${scheme}://${label}`, label } as const;
  if (username === '' && password === '') return place;
  const user = decoded(username);
  const secret = decoded(password);
  if (user === undefined || secret === undefined) {
    throw wrong('the credentials are not percent-encoded; write each % in them as %25');
  }
  return { ...place, credentials: { username: user, password: secret } };
}

function hasControls(text: string): boolean {
  return [...text].some((character) => character <= ' ' || character === '\x7f');
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** An IP address as a number; what maps IPv4 into IPv6 is IPv4. */
interface Address {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

const OCTET = '(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])';
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);

function parseAddress(text: string): Address | undefined {
  if (IPV4.test(text)) {
    return { bits: 32, value: text.split('.').reduce((sum, octet) => (sum << 8n) | BigInt(octet), 0n) };
  }
  // A zone names an interface of this machine and is no part of the address.
  const [, bare = ''] = /^([0-9a-f:.]*:[0-9a-f:.]*)(?:%.+)?$/i.exec(text) ?? [];
  if (bare === '' || !URL.canParse(`http://[${bare}]/`)) return undefined;
  const [head = '', tail] = new URL(`http://[${bare}]/`).hostname.slice(1, -1).split('::');
  const [left, right] = [head, tail ?? ''].map((half) => half.split(':').filter((group) => group !== ''));
  const missing = 8 - (left?.length ?? 0) - (right?.length ?? 0);
  const groups = [...(left ?? []), ...Array.from({ length: missing }, () => '0'), ...(right ?? [])];
  const value = groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
  return value >> 32n === 0xffffn ? { bits: 32, value: value & 0xffff_ffffn } : { bits: 128, value };
}

/** Addresses that mean this machine or its link, and the metadata services of AWS by IPv6 (fd00:ec2::/32). */
const LOCAL_RANGES = ['127.0.0.0/8', '169.254.0.0/16', '::1/128', 'fe80::/10', 'fd00:ec2::/32'];

function isLocalAddress(address: Address): boolean {
  return LOCAL_RANGES.some((range) => contains(range, address) === true);
}

/** RFC 6761, and the name of the metadata service of Google Cloud, which is a link-local address. */
function isLocalName(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === 'metadata.google.internal';
}

/** Whether `ADDRESS/LENGTH` contains an address; `undefined` for what is not such a range. */
function contains(range: string, address: Address): boolean | undefined {
  const [, prefix = '', digits = ''] = /^([0-9a-f:.]+)\/([0-9]{1,8})$/.exec(range) ?? [];
  const first = parseAddress(prefix);
  if (first === undefined) return undefined;
  const written = prefix.includes(':') ? 128 : 32;
  if (Number(digits) > written) return undefined;
  // An IPv4 range that is written as IPv6 counts the 96 bits before it.
  const length = Number(digits) - (written - first.bits);
  if (length < 0 || first.bits !== address.bits) return false;
  const shift = BigInt(first.bits - length);
  return first.value >> shift === address.value >> shift;
}

interface Destination {
  readonly host: string;
  readonly address: Address | undefined;
  readonly port: string;
}

/** Whether one entry of `NO_PROXY` names the destination. Entries that can't be read are passed over, as by Go. */
function isException(list: string, destination: Destination): boolean {
  const entries = list.split(',').map((entry) => entry.trim().toLowerCase());
  return entries.some((entry) => entry === '*' || (entry !== '' && matches(entry, destination)));
}

function matches(entry: string, { host, address, port }: Destination): boolean {
  const inRange = address === undefined ? undefined : contains(entry, address);
  if (inRange !== undefined) return inRange;
  const [, bracketed, named, wantedPort = ''] = /^(?:\[([^\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(entry) ?? [];
  const wanted = bracketed ?? named ?? entry;
  if (wantedPort !== '' && wantedPort !== port) return false;
  const wantedAddress = parseAddress(wanted.replace(/^\[(.*)\]$/, '$1'));
  if (wantedAddress !== undefined || address !== undefined) {
    return wantedAddress?.bits === address?.bits && wantedAddress?.value === address?.value;
  }
  const name = wanted.replace(/^\*(?=\.)/, '').replace(/\.$/, '');
  if (name === '') return false;
  if (name.startsWith('.')) return host.endsWith(`.${inAscii(name.slice(1))}`);
  const whole = inAscii(name);
  return host === whole || host.endsWith(`.${whole}`);
}

/** Names in a request are in ASCII (IDNA) by then. */
function inAscii(name: string): string {
  const isAscii = /^[\x21-\x7e]*$/.test(name);
  return isAscii || !URL.canParse(`http://${name}/`) ? name : new URL(`http://${name}/`).hostname;
}

function bareHost(host: string): string {
  return host
    .trim()
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}
