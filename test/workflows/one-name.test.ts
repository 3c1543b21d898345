import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseDigest } from '../../workflows/format/digest.ts';
import {
  type ImageName,
  nameWithoutDigest,
  parseFullName,
  parseName,
  repositoryOf,
} from '../../workflows/format/name.ts';
import { parseGlob } from '../../workflows/policy/glob.ts';
import { type ImagePolicy, selectPolicies } from '../../workflows/policy/selection.ts';
import { verificationId } from '../../workflows/verdict/verification-id.ts';

const DIGEST = parseDigest(`sha256:${'ab'.repeat(32)}`) ?? assert.fail();

/** A registry as the network sees it. */
interface Place {
  readonly host: string;
  readonly port: number;
}

const HOSTS = [
  'registry.example',
  'a.b-c.example',
  'localhost',
  '127.0.0.1',
  '10.1.2.3',
  '[::1]',
  '[2001:db8::a:0:b]',
  'node',
];
const place = fc.record({ host: fc.constantFrom(...HOSTS), port: fc.constantFrom(80, 443, 5000, 5001, 65_535) });
const path = fc.constantFrom('prod/app', 'prod/app/sub', 'app', 'test/app');
const tag = fc.constantFrom(undefined, 'v1', 'latest', 'V1');

const mixedCase = (text: string) =>
  fc
    .array(fc.boolean(), { minLength: text.length, maxLength: text.length })
    .map((upper) => [...text].map((letter, i) => (upper[i] === true ? letter.toUpperCase() : letter)).join(''));

/** The groups of an IPv6 address with any number of leading zeros, and without an abbreviation or with one. */
function ipv6Spellings(host: string): fc.Arbitrary<string> {
  const [before = '', after = ''] = host.slice(1, -1).split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const missing = 8 - groups(before).length - groups(after).length;
  const whole = [...groups(before), ...Array<string>(missing).fill('0'), ...groups(after)];
  const full = fc
    .constantFrom(1, 2, 3, 4)
    .map((width) => `[${whole.map((group) => group.padStart(width, '0')).join(':')}]`);
  return fc.oneof(fc.constant(host), full).chain(mixedCase);
}

function hostSpellings(host: string): fc.Arbitrary<string> {
  if (host.startsWith('[')) return ipv6Spellings(host);
  const dotted = fc.constantFrom(host, `${host}.`).chain(mixedCase);
  const octets = host.split('.').map(Number);
  if (octets.length !== 4 || octets.some(Number.isNaN)) return dotted;
  const [a = 0, b = 0, c = 0, d = 0] = octets;
  const mapped = [(a << 8) | b, (c << 8) | d].map((pair) => pair.toString(16)).join(':');
  return fc.oneof(dotted, fc.constantFrom(`[::ffff:${host}]`, `[::ffff:${mapped}]`).chain(mixedCase));
}

/** Ways to write a registry that containerd resolves to the same host and port. */
function spellings({ host, port }: Place): fc.Arbitrary<string> {
  const zeros = fc.constantFrom('', '0', '000');
  const written = fc.tuple(hostSpellings(host), zeros).map(([text, zero]) => `${text}:${zero}${port}`);
  // A host of one label without a port is no registry in docker's grammar.
  return port === 443 && host !== 'node' ? fc.oneof(written, hostSpellings(host)) : written;
}

const nameIn = (registry: string, repository: string, label: string | undefined) =>
  `${registry}/${repository}${label === undefined ? `@${DIGEST}` : `:${label}`}`;

const POLICIES: readonly ImagePolicy[] = [
  ['weak', ['**']],
  ['strict', HOSTS.flatMap((host) => [`${host}:5000/prod/**`, ...(host === 'node' ? [] : [`${host}/prod/**`])])],
  ['tagged', ['127.0.0.1:5000/prod/app:v*', 'registry.example/**:latest']],
  ['hub', ['index.docker.io/**', 'docker.io/library/app*']],
  ['address', ['[::1]:5000/**', '[2001:db8::a:0:b]/test/*']],
].map(([name, globs]) => {
  const images = [globs].flat().map((glob) => parseGlob(glob ?? '') ?? assert.fail(glob));
  const rule = { log: undefined, sources: [], coversIndexChildren: false, newestAttestation: false };
  return {
    name: String(name),
    images,
    mode: 'enforce',
    authorities: [{ name: 'a', signer: { kind: 'key' }, ...rule }],
  };
});

function parsed(text: string): ImageName {
  return parseFullName(text) ?? assert.fail(`not accepted: ${text}`);
}

/** What a pull comes to: the run that decides, and the policies that have to be satisfied. */
function decisionOf(text: string) {
  const name = nameWithoutDigest(parsed(text));
  const id = verificationId(
    { name, digest: DIGEST, fleet: 'fleet', policyRevision: 'a'.repeat(64) },
    'quarter-hour',
    0,
  );
  return { id, resolution: selectPolicies(POLICIES, name) };
}

describe('one registry has one name', () => {
  it('every spelling of host and port comes to the same workflow id and the same policies', () => {
    const spelt = place.chain((one) => fc.tuple(spellings(one), spellings(one)));
    fc.assert(
      fc.property(spelt, path, tag, ([one, other], repository, label) => {
        const [a, b] = [one, other].map((registry) => decisionOf(nameIn(registry, repository, label)));
        assert.deepEqual(a, b);
        assert.ok(a !== undefined && a.resolution.matching.length > 0);
      }),
      { numRuns: 2_000 },
    );
  });

  it('different hosts and ports stay different', () => {
    const two = fc.tuple(place, place).filter(([a, b]) => a.host !== b.host || a.port !== b.port);
    const spelt = two.chain(([a, b]) => fc.tuple(spellings(a), spellings(b)));
    fc.assert(
      fc.property(spelt, path, tag, ([one, other], repository, label) => {
        const [a, b] = [one, other].map((registry) => decisionOf(nameIn(registry, repository, label)).id);
        assert.notEqual(a, b);
      }),
      { numRuns: 2_000 },
    );
  });

  it('Docker Hub has one name, whichever of its hosts is asked and however official images are written', () => {
    const hub = fc
      .constantFrom('docker.io', 'index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com')
      .chain((host) => spellings({ host, port: 443 }));
    const official = fc.constantFrom(['app', 'library/app'], ['library/app', 'app'], ['prod/app', 'prod/app'] as const);
    fc.assert(
      fc.property(hub, hub, official, tag, (one, other, [a = '', b = ''], label) => {
        assert.deepEqual(decisionOf(nameIn(one, a, label)), decisionOf(nameIn(other, b, label)));
      }),
    );
  });

  it('a canonical name is read as itself', () => {
    fc.assert(
      fc.property(place.chain(spellings), path, tag, (registry, repository, label) => {
        const name = parsed(nameIn(registry, repository, label));
        assert.deepEqual(
          parseName(nameWithoutDigest(name)),
          parseName(nameWithoutDigest(parsed(nameWithoutDigest(name)))),
        );
        assert.equal(parsed(nameWithoutDigest(name)).registry, name.registry);
        assert.equal(repositoryOf(parsed(repositoryOf(name))), repositoryOf(name));
      }),
    );
  });

  it('an image that only a weak policy accepts stays under the strict one, whatever its loopback host is called', () => {
    for (const registry of [
      'LOCALHOST:5000',
      '127.0.0.1:05000',
      '[::1]:5000',
      '0.0.0.0:5000',
      '[::]:5000',
      '127.9.9.9:5000',
    ]) {
      const names = decisionOf(`${registry}/prod/app:v1`).resolution.matching.map(({ name }) => name);
      for (const expected of ['weak', 'strict', 'tagged'])
        assert.ok(names.includes(expected), `${registry} ${expected}`);
    }
  });

  it('other ways to write a host or a path are refused', () => {
    const hosts = [
      '0x7f.1:5000',
      '2130706433:5000',
      '127.1:5000',
      '0177.0.0.1:5000',
      '%6cocalhost:5000',
      'b\u00fccher.example',
    ];
    const paths = ['prod//app', 'prod/./app', 'prod/../prod/app', '/prod/app', 'prod/app/', 'Prod/app', 'pro%64/app'];
    for (const host of hosts) assert.equal(parseName(`${host}/prod/app:v1`), undefined, host);
    for (const one of paths) assert.equal(parseName(`127.0.0.1:5000/${one}:v1`), undefined, one);
  });

  it('a name of containerd has its host in front, whatever docker would make of it', () => {
    for (const name of ['app:v1', 'prod/app:v1', 'REGISTRY/app:v1', 'library/app']) {
      assert.equal(parseFullName(name), undefined, name);
    }
    assert.equal(parsed('registry:443/app:v1').registry, 'registry:443');
    assert.equal(parsed('LOCALHOST/app:v1').registry, 'localhost');
  });
});
