import { BlockList, isIP } from 'node:net';

/** What an address that is not on the public Internet is. */
export type InternalKind =
  | 'loopback'
  | 'link-local'
  | 'metadata'
  | 'private'
  | 'unspecified'
  | 'multicast'
  | 'reserved';

/**
 * Ranges of the special-purpose registries of IANA (RFC 6890, RFC 6598, RFC 4193, RFC 3879), and the addresses at which clouds give the
 * identity of a machine to anyone on it: AWS, Azure, Google and others (169.254.169.254 is link-local), Alibaba, Oracle, and Azure's 168.63.129.16.
 */
const RANGES: readonly (readonly [InternalKind, readonly string[], readonly string[]])[] = [
  ['metadata', ['100.100.100.200/32', '168.63.129.16/32', '192.0.0.192/32'], ['fd00:ec2::/32', 'fd20:ce::/32']],
  ['loopback', ['127.0.0.0/8'], ['::1/128']],
  ['unspecified', ['0.0.0.0/8'], ['::/128']],
  ['link-local', ['169.254.0.0/16'], ['fe80::/10']],
  ['multicast', ['224.0.0.0/4', '255.255.255.255/32'], ['ff00::/8']],
  ['reserved', ['192.0.0.0/24', '192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24'], ['100::/64', '2001::/32']],
  ['reserved', [], ['2001:db8::/32', '3fff::/20', '5f00::/16']],
  ['private', ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10'], ['fc00::/7', 'fec0::/10']],
  // Service meshes and proxies give out these for names outside.
  ['private', ['198.18.0.0/15', '240.0.0.0/4'], ['2001:2::/48', '64:ff9b:1::/48']],
];

/** IPv6 prefixes of which the rest is an IPv4 address: mapped, compatible (RFC 4291), translated (RFC 2765), NAT64 (RFC 6052). */
const EMBEDDING = ['::ffff:', '::', '::ffff:0:', '64:ff9b::'];

const LISTS = RANGES.map(([kind, four, six]) => [kind, listOf(four, six)] as const);

/** What kind of internal address this is; `undefined` for one of the public Internet. Text that is no address is `reserved`. */
export function internalKind(address: string): InternalKind | undefined {
  const [bare = ''] = address.replace(/^\[(.*)\]$/, '$1').split('%');
  const family = isIP(bare);
  if (family === 0) return 'reserved';
  return LISTS.find(([, list]) => list.check(bare, family === 4 ? 'ipv4' : 'ipv6'))?.[0];
}

/** The kind of a host that is written as an address, or as a name that means the machine itself (RFC 6761); `undefined` for other names. */
export function writtenKind(hostname: string): InternalKind | undefined {
  const bare = hostname.toLowerCase().replace(/\.$/, '');
  if (bare === 'localhost' || bare.endsWith('.localhost')) return 'loopback';
  return isAddress(bare) ? internalKind(bare) : undefined;
}

export function isAddress(hostname: string): boolean {
  return isIP(hostname.replace(/^\[(.*)\]$/, '$1')) !== 0;
}

function listOf(four: readonly string[], six: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of four) {
    const [net = '', bits] = range.split('/');
    list.addSubnet(net, Number(bits), 'ipv4');
    for (const prefix of EMBEDDING) list.addSubnet(prefix + net, 96 + Number(bits), 'ipv6');
    // 6to4 (RFC 3056)
    const [a = 0, b = 0, c = 0, d = 0] = net.split('.').map(Number);
    list.addSubnet(`2002:${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}::`, 16 + Number(bits), 'ipv6');
  }
  for (const range of six) {
    const [net = '', bits] = range.split('/');
    list.addSubnet(net, Number(bits), 'ipv6');
  }
  return list;
}
