/** The port of a name that states none: HTTPS, as containerd asks unless its configuration says otherwise. */
const DEFAULT_PORT = 443;
const PLAIN_PORT = 80;

/** Docker Hub, by the names under which its one registry answers. */
const DOCKER_HUB = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com']);

const AUTHORITY = /^(\[[^\]]*\]|[^:[\]]+)(?::([0-9]+))?$/;
const LABEL = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;
const OCTET = '(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])';
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);
/** A last label that URL parsers and C libraries take for a number, so that the whole would be an address to them. */
const NUMBER = /^(?:[0-9]+|0x[0-9a-f]*)$/;
const MAX_HOST_LENGTH = 253;

/**
 * The one spelling of `host[:port]`: lower case, no trailing dot, the port without leading zeros and left out when it is
 * 443, IPv6 as RFC 5952 writes it and as IPv4 where it maps IPv4, `docker.io` for Docker Hub. A host of one label keeps
 * its port, because a name would otherwise read it as a part of a path. Answers `undefined` for what has no such
 * spelling: numeric addresses other than four plain octets, zone ids, Unicode, port 0.
 */
export function canonicalRegistry(text: string): string | undefined {
  const [, given = '', digits] = AUTHORITY.exec(text) ?? [];
  const host = given.startsWith('[') ? canonicalIpv6(given.slice(1, -1)) : canonicalHost(given);
  const port = digits === undefined ? DEFAULT_PORT : Number(digits);
  if (host === undefined || port < 1 || port > 65_535) return undefined;
  if (port !== DEFAULT_PORT) return `${host}:${port}`;
  if (DOCKER_HUB.has(host)) return 'docker.io';
  return isRegistry(host) ? host : `${host}:${port}`;
}

/** Whether the first component of a name is a registry and not a part of a path (distribution `splitDockerDomain`). */
export function isRegistry(component: string): boolean {
  return /[.:]/.test(component) || component.toLowerCase() === 'localhost';
}

/** Checked before it is put into lower case: some letters outside ASCII become ASCII by that. */
function canonicalHost(text: string): string | undefined {
  const labels = text.replace(/\.$/, '').split('.');
  if (text.length > MAX_HOST_LENGTH || !labels.every((label) => LABEL.test(label))) return undefined;
  const host = labels.join('.').toLowerCase();
  return NUMBER.test(labels.at(-1)?.toLowerCase() ?? '') && !IPV4.test(host) ? undefined : host;
}

function canonicalIpv6(text: string): string | undefined {
  const url = `http://[${text}]/`;
  if (!/^[0-9A-Fa-f:.]+$/.test(text) || !URL.canParse(url)) return undefined;
  const host = new URL(url).hostname;
  const [, high, low] = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(host) ?? [];
  if (high === undefined || low === undefined) return host;
  const pairs = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return pairs.flatMap((pair) => [pair >> 8, pair & 255]).join('.');
}

/** By these a node reaches itself; the unspecified addresses are dialled as loopback ones. */
const LOOPBACK_ADDRESS = /^(?:127(?:\.[0-9]+){3}|0\.0\.0\.0|\[::1?\])$/;
/** RFC 6761, and what the `/etc/hosts` of Debian and Red Hat hold beside it. */
const LOOPBACK_HOST = /^(?:(?:.+\.)?localhost|localhost[46]?(?:\.localdomain[46]?)?|ip6-(?:localhost|loopback))$/;
const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'] as const;

function isLoopback(host: string): boolean {
  return LOOPBACK_ADDRESS.test(host) || LOOPBACK_HOST.test(host);
}

/** The port of loopback that a registry is, as a registry of `localhost`; `undefined` for one that is elsewhere. */
export function loopbackOf(registry: string): string | undefined {
  const [, host = '', port = DEFAULT_PORT] = AUTHORITY.exec(registry) ?? [];
  return isLoopback(host) ? canonicalRegistry(`localhost:${port}`) : undefined;
}

/**
 * Other registries that may be the same place, which the name alone does not tell: the names of a loopback host, and
 * ports 80 and 443, because a name without a port means 80 where plain HTTP is configured. Expects a canonical registry.
 */
export function neighboursOf(registry: string): readonly string[] {
  const [, host = '', digits] = AUTHORITY.exec(registry) ?? [];
  const hosts = isLoopback(host) ? [host, ...LOOPBACK_NAMES] : [host];
  const ports = [DEFAULT_PORT, PLAIN_PORT].map(String);
  const wanted = digits === undefined || ports.includes(digits) ? ports : [digits];
  const all = hosts.flatMap((one) => wanted.flatMap((port) => canonicalRegistry(`${one}:${port}`) ?? []));
  return [...new Set(all)].filter((one) => one !== registry);
}
