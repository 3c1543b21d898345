import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type InternalKind, internalKind, writtenKind } from '../../../activities/http/address-kind.ts';
import {
  type ListedDestinations,
  mayConnect,
  NOTHING_LISTED,
  parseDestinations,
  type Reach,
  reachOf,
  refusalOf,
} from '../../../activities/http/destinations.ts';

/** First and last address of each range of IPv4, as numbers, computed apart from the product. */
const FOUR: readonly (readonly [InternalKind, string, string])[] = [
  ['loopback', '127.0.0.0', '127.255.255.255'],
  ['unspecified', '0.0.0.0', '0.255.255.255'],
  ['link-local', '169.254.0.0', '169.254.255.255'],
  ['private', '10.0.0.0', '10.255.255.255'],
  ['private', '172.16.0.0', '172.31.255.255'],
  ['private', '192.168.0.0', '192.168.255.255'],
  ['private', '100.64.0.0', '100.100.100.199'],
  ['metadata', '100.100.100.200', '100.100.100.200'],
  ['private', '100.100.100.201', '100.127.255.255'],
  ['metadata', '168.63.129.16', '168.63.129.16'],
  ['metadata', '192.0.0.192', '192.0.0.192'],
  ['private', '198.18.0.0', '198.19.255.255'],
  ['multicast', '224.0.0.0', '239.255.255.255'],
  ['private', '240.0.0.0', '255.255.255.254'],
  ['multicast', '255.255.255.255', '255.255.255.255'],
  ['reserved', '192.0.0.0', '192.0.0.191'],
  ['reserved', '192.0.0.193', '192.0.0.255'],
  ['reserved', '192.0.2.0', '192.0.2.255'],
  ['reserved', '198.51.100.0', '198.51.100.255'],
  ['reserved', '203.0.113.0', '203.0.113.255'],
];

const toNumber = (text: string) => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
const toText = (n: number) => [24, 16, 8, 0].map((shift) => Math.floor(n / 2 ** shift) % 256).join('.');
const kindOf = (n: number) => FOUR.find(([, from, to]) => n >= toNumber(from) && n <= toNumber(to))?.[0];

/** Addresses all over, and those at and beside the ends of the ranges. */
const four = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  fc
    .tuple(fc.constantFrom(...FOUR.flatMap(([, from, to]) => [from, to])), fc.integer({ min: -1, max: 1 }))
    .map(([text, step]) => Math.min(Math.max(toNumber(text) + step, 0), 2 ** 32 - 1)),
  fc.constantFrom(...FOUR).chain(([, from, to]) => fc.integer({ min: toNumber(from), max: toNumber(to) })),
);

const hex = (n: number) => `${Math.floor(n / 65_536).toString(16)}:${(n % 65_536).toString(16)}`;
/** How IPv6 writes an IPv4 address. */
const EMBEDDINGS: readonly ((n: number) => string)[] = [
  (n) => `::ffff:${toText(n)}`,
  (n) => `::ffff:${hex(n)}`,
  (n) => `0:0:0:0:0:FFFF:${hex(n)}`,
  (n) => `::ffff:0:${hex(n)}`,
  (n) => `64:ff9b::${toText(n)}`,
  (n) => `2002:${hex(n)}::1`,
  (n) => `2002:${hex(n)}:ffff:ffff:ffff:ffff:ffff`,
];

describe('an address', () => {
  it('of IPv4 has the kind of its range, in each way of writing it', () => {
    fc.assert(
      fc.property(four, (n) => {
        assert.equal(internalKind(toText(n)), kindOf(n), toText(n));
        for (const embed of EMBEDDINGS) assert.equal(internalKind(embed(n)), kindOf(n), embed(n));
      }),
      { numRuns: 2_000 },
    );
  });

  it('of IPv6 has the kind of its prefix, whatever comes after it', () => {
    const prefixes: readonly (readonly [string, InternalKind | undefined])[] = [
      ['fe8', 'link-local'],
      ['feb', 'link-local'],
      ['fec', 'private'],
      ['fc', 'private'],
      ['fdab', 'private'],
      ['fd000ec2', 'metadata'],
      ['fd2000ce', 'metadata'],
      ['ff', 'multicast'],
      ['20010db8', 'reserved'],
      ['20010000', 'reserved'],
      ['2606', undefined],
      ['2a0', undefined],
      ['20014860', undefined],
    ];
    const rest = fc.array(fc.constantFrom(...'0123456789abcdef'), { minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(fc.constantFrom(...prefixes), rest, ([prefix, kind], digits) => {
        const whole = (prefix + digits.join('')).slice(0, 32);
        const address = whole.match(/.{4}/g)?.join(':') ?? '';
        assert.equal(internalKind(address), kind, address);
        assert.equal(internalKind(`[${address.toUpperCase()}]`), kind);
        assert.equal(internalKind(`${address}%eth0`), kind);
      }),
      { numRuns: 1_000 },
    );
    assert.equal(internalKind('::1'), 'loopback');
    assert.equal(internalKind('::'), 'unspecified');
  });

  it('is judged as a URL means it, however it is written', () => {
    const hosts = [
      '0x7f.1',
      '2130706433',
      '017700000001',
      '127.1',
      '[::1]',
      '[::ffff:7f00:1]',
      'LOCALHOST',
      'localhost.',
      'a.localhost',
      '127.0.0.1.',
      '１２７.0.0.1',
    ];
    for (const host of hosts) assert.equal(writtenKind(new URL(`https://${host}/`).hostname), 'loopback', host);
    for (const host of ['r.example', 'localhost.example', 'notlocalhost', '8.8.8.8']) {
      assert.equal(writtenKind(new URL(`https://${host}/`).hostname), undefined, host);
    }
  });
});

function listed(...entries: readonly string[]): ListedDestinations {
  const parsed = parseDestinations(entries);
  return 'unknown' in parsed ? assert.fail(parsed.unknown) : parsed;
}

describe('a list of destinations', () => {
  it('holds a range, and nothing beside it', () => {
    fc.assert(
      fc.property(four, four, fc.integer({ min: 0, max: 32 }), (net, n, bits) => {
        const isIn = bits === 0 || Math.floor(net / 2 ** (32 - bits)) === Math.floor(n / 2 ** (32 - bits));
        const list = listed(`${toText(net)}/${bits}`);
        assert.equal(list.hasAddress(toText(n)), isIn);
        assert.equal(list.hasAddress(`::ffff:${toText(n)}`), isIn);
        assert.equal(mayConnect(toText(n), 'referred', list), isIn || kindOf(n) === undefined);
      }),
    );
  });

  it('holds addresses of both families and hosts, with a port or for all of them', () => {
    const list = listed(
      '10.0.0.5',
      '[::1]',
      'fd00::/8',
      '[fe80::]/10',
      'Minio.Corp:09000',
      'auth.corp',
      '127.0.0.1:5000',
      '[::2]:5001',
      'localhost:5002',
      'web.corp:443',
    );
    const allows = (url: string) =>
      list.hasHost(new URL(url)) || refusalOf(new URL(url), 'referred', list) === undefined;
    for (const url of [
      'http://10.0.0.5:81/',
      'https://[::1]/',
      'https://[fd12::1]/',
      'https://[fe80::1]:5/',
      'https://MINIO.corp.:9000/',
      'https://auth.corp/',
      'http://auth.corp:8080/',
      'http://127.0.0.1:5000/',
      'http://0x7f.1:5000/',
      'http://[::2]:5001/',
      'http://localhost:5002/',
      'https://web.corp/',
      'http://web.corp:443/',
    ])
      assert.ok(allows(url), url);
    for (const url of [
      'http://10.0.0.6/',
      'http://127.0.0.1:5001/',
      'http://127.0.0.1/',
      'http://[::2]:5002/',
      'http://[fc00::1]/',
    ])
      assert.ok(!allows(url), url);
    for (const url of ['https://minio.corp/', 'https://minio.corp:9001/', 'https://x.auth.corp/', 'http://web.corp/'])
      assert.ok(!list.hasHost(new URL(url)), url);
  });

  it('admits localhost by name where its address is listed', () => {
    assert.equal(refusalOf(new URL('http://localhost:5000/'), 'named', listed('127.0.0.0/8')), undefined);
    assert.equal(refusalOf(new URL('http://localhost:5000/'), 'named', listed('10.0.0.0/8')), 'loopback');
  });

  it('has no entry of another form', () => {
    for (const entry of [
      '',
      '*',
      '*.corp',
      'http://r.example',
      '10.0.0.0/33',
      '10.0.0.0/',
      '10.0.0.0/-1',
      '::1/129',
      '10.0/8',
      'a/8',
      'r.example:0',
      'r.example:65536',
      'r.example:x',
      'ex ample',
      '1.2.3',
      '0x7f.1',
      'fe80::1%eth0',
      'r.example/app',
    ]) {
      assert.deepEqual(parseDestinations([entry]), { unknown: entry }, entry);
    }
  });
});

describe('how far a request may go', () => {
  const at = (text: string) => new URL(text);
  const cases: readonly (readonly [string, string, boolean, Reach])[] = [
    ['https://r.corp/x', 'https://r.corp/', false, 'named'],
    ['https://r.corp/x', 'https://r.corp/', true, 'any'],
    ['https://R.corp.:443/x', 'https://r.corp/', false, 'named'],
    ['https://r.corp/x', 'http://r.corp/', false, 'named'],
    ['http://r.corp/x', 'https://r.corp/', false, 'referred'],
    ['http://r.corp:5000/x', 'https://r.corp:5000/', false, 'referred'],
    ['http://r.corp/x', 'http://r.corp/', false, 'named'],
    ['http://r.corp/x', 'https://r.corp/', true, 'any'],
    ['https://r.corp:5001/x', 'https://r.corp:5000/', true, 'referred'],
    ['https://r.corp/x', 'https://r.corp:5000/', true, 'referred'],
    ['https://s.corp/x', 'https://r.corp/', true, 'referred'],
    ['https://listed.corp/x', 'https://r.corp/', false, 'any'],
  ];
  for (const [url, registry, configured, reach] of cases) {
    it(`is ${reach} for ${url} of ${registry}${configured ? ' (configured)' : ''}`, () => {
      assert.equal(
        reachOf(at(url), { url: at(registry), configured }, listed('listed.corp'), () => false),
        reach,
      );
    });
  }

  it('includes the private network for what a private registry refers to, and not for what a public host on the way does', () => {
    const isPrivate = ({ hostname }: URL) => hostname.endsWith('.corp');
    const reach = (url: string, referrer: { readonly url: URL; readonly via?: URL }) =>
      reachOf(at(url), referrer, NOTHING_LISTED, isPrivate);
    const url = at('https://r.corp/');
    assert.equal(reach('https://s.corp/x', { url }), 'neighbour');
    assert.equal(reach('https://s.corp/x', { url, via: at('https://t.corp/') }), 'neighbour');
    assert.equal(reach('https://s.corp/x', { url, via: at('https://cdn.example/') }), 'referred');
    assert.equal(reach('https://s.corp/x', { url: at('https://r.example/'), via: at('https://t.corp/') }), 'referred');
    assert.equal(reach('http://r.corp/x', { url }), 'neighbour');
    assert.equal(reach('https://r.corp/x', { url, via: at('https://cdn.example/') }), 'named');
  });

  it('is to private addresses for what an image names, to none for what a registry refers to, to all for what is configured', () => {
    fc.assert(
      fc.property(four, (n) => {
        const [address, kind] = [toText(n), kindOf(n)];
        assert.equal(mayConnect(address, 'any', NOTHING_LISTED), true);
        assert.equal(mayConnect(address, 'named', NOTHING_LISTED), kind === undefined || kind === 'private');
        assert.equal(mayConnect(address, 'neighbour', NOTHING_LISTED), mayConnect(address, 'named', NOTHING_LISTED));
        assert.equal(mayConnect(address, 'referred', NOTHING_LISTED), kind === undefined);
        const url = at(`https://${address}/`);
        for (const reach of ['named', 'referred'] as const) {
          assert.equal(refusalOf(url, reach, NOTHING_LISTED) === undefined, mayConnect(address, reach, NOTHING_LISTED));
        }
      }),
    );
  });
});
