import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalRegistry, neighboursOf } from '../../../workflows/format/registry-host.ts';

const CANONICAL: Readonly<Record<string, readonly string[]>> = {
  'registry.example': [
    'registry.example',
    'REGISTRY.example',
    'registry.example.',
    'registry.example:443',
    'Registry.Example.:000443',
  ],
  'registry.example:80': ['registry.example:80', 'registry.example:080'],
  'registry.example:5000': ['registry.example:5000', 'registry.EXAMPLE:05000', 'registry.example.:0000000005000'],
  localhost: ['localhost', 'LOCALHOST', 'localhost:443', 'Localhost.:0443'],
  'localhost:5000': ['localhost:5000', 'LOCALHOST:5000', 'localhost.:05000'],
  '127.0.0.1:5000': ['127.0.0.1:5000', '127.0.0.1:005000', '127.0.0.1.:5000', '[::ffff:127.0.0.1]:5000'],
  '127.0.0.1': ['127.0.0.1', '127.0.0.1:443', '[::FFFF:7f00:1]', '[0:0:0:0:0:ffff:7f00:0001]:443'],
  '[::1]:5000': ['[::1]:5000', '[0:0:0:0:0:0:0:1]:5000', '[::0001]:05000', '[0::1]:5000', '[::0.0.0.1]:5000'],
  '[2001:db8::a]': ['[2001:db8::a]', '[2001:DB8:0:0::A]', '[2001:0db8:0000:0000:0000:0000:0000:000a]:443'],
  '[2001:db8:0:1:1:1:1:1]': ['[2001:db8:0:1:1:1:1:1]', '[2001:db8::1:1:1:1:1]'],
  'docker.io': [
    'docker.io',
    'DOCKER.io',
    'index.docker.io',
    'registry-1.docker.io',
    'REGISTRY-1.docker.io.:0443',
    'registry.hub.docker.com',
  ],
  'docker.io:5000': ['docker.io:5000', 'DOCKER.IO:05000'],
  // Without its port a name would take it for a part of a path of Docker Hub.
  'registry:443': ['registry', 'registry:443', 'REGISTRY.', 'registry:0443'],
  'registry:5000': ['registry:5000', 'Registry:05000'],
  'xn--bcher-kva.example': ['xn--bcher-kva.example', 'XN--Bcher-kva.example'],
};

for (const [canonical, spellings] of Object.entries(CANONICAL)) {
  test(`every spelling of ${canonical} becomes it`, () => {
    for (const spelling of spellings) assert.equal(canonicalRegistry(spelling), canonical, spelling);
  });
}

test('what has no canonical spelling is refused', () => {
  const addresses = ['0x7f.1', '0x7f000001', '2130706433', '127.1', '127.0.1', '0177.0.0.1', '127.0.0.01', '1.2.3.256'];
  const octets = ['1.2.3.4.5', 'a.0x', 'a.1', '127.0.0.1..', '127.0.0.1:5000:5000'];
  const ipv6 = [
    '::1',
    '[::1',
    '[fe80::1%25eth0]',
    '[fe80::1%eth0]',
    '[]',
    '[1::2::3]',
    '[::ffff:127.0.0.01]',
    '[1:2:3]',
  ];
  const ports = [
    'a.example:',
    'a.example:0',
    'a.example:65536',
    'a.example:99999999999',
    'a.example:-1',
    'a.example:1e3',
  ];
  const hosts = ['', '.', 'a..example', '.a.example', '-a.example', 'a-.example', 'a_b.example', 'a.example..', 'a b'];
  const others = [
    'b\u00fccher.example',
    '\u212Abe.example',
    'a%2eexample',
    'user@a.example',
    'a.example/b',
    'a\n',
    '\uff41.example',
  ];
  const long = [`${'a'.repeat(64)}.example`, `${'a.'.repeat(127)}example`];
  for (const text of [...addresses, ...octets, ...ipv6, ...ports, ...hosts, ...others, ...long]) {
    assert.equal(canonicalRegistry(text), undefined, text);
  }
});

test('a loopback host has all names of loopback as neighbours, and ports 80 and 443 have each other', () => {
  const neighbours = (registry: string) => neighboursOf(registry).toSorted();
  assert.deepEqual(neighbours('localhost:5000'), ['127.0.0.1:5000', '[::1]:5000']);
  assert.deepEqual(neighbours('127.0.0.2:5000'), ['127.0.0.1:5000', '[::1]:5000', 'localhost:5000']);
  const others = ['localhost.localdomain', 'localhost6.localdomain6', 'localhost4', 'ip6-localhost', 'ip6-loopback'];
  for (const host of ['0.0.0.0', '[::]', 'registry.localhost', ...others]) {
    assert.deepEqual(neighbours(`${host}:5000`), ['127.0.0.1:5000', '[::1]:5000', 'localhost:5000'], host);
  }
  assert.deepEqual(neighbours('registry.example'), ['registry.example:80']);
  assert.deepEqual(neighbours('registry.example:80'), ['registry.example']);
  assert.deepEqual(neighbours('registry:443'), ['registry:80']);
  for (const registry of [
    'registry.example:5000',
    '10.0.0.1:5000',
    '127.example:5000',
    'localhost.example:5000',
    'ip6-localhost.example:5000',
    'mylocalhost:5000',
  ]) {
    assert.deepEqual(neighbours(registry), [], registry);
  }
});
