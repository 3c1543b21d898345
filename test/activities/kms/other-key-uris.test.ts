import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAzureKey } from '../../../activities/kms/azure/key-uri.ts';
import { parseGcpKey } from '../../../activities/kms/gcp/key-uri.ts';
import { parseVaultKey } from '../../../activities/kms/vault/key-uri.ts';

const RING = 'gcpkms://projects/p-1/locations/europe-west1/keyRings/r_1/cryptoKeys';

describe('the URI of a key', () => {
  it('in Vault and OpenBao names the key alone', () => {
    for (const name of ['demo', 'd', '1', 'a.b-c_d', '_x_']) {
      for (const provider of ['hashivault', 'openbao'] as const) {
        assert.deepEqual(parseVaultKey(`${provider}://${name}`), { ok: true, key: { provider, name } });
      }
    }
  });

  it('in Google Cloud names a key or a version, by both words for one', () => {
    const name = `${RING.slice('gcpkms://'.length)}/k`;
    assert.deepEqual(parseGcpKey(`${RING}/k`), { ok: true, key: { name, version: undefined } });
    for (const word of ['versions', 'cryptoKeyVersions']) {
      assert.deepEqual(parseGcpKey(`${RING}/k/${word}/12`), { ok: true, key: { name, version: '12' } });
    }
    assert.ok(parseGcpKey('gcpkms://projects/example.com:p/locations/global/keyRings/r/cryptoKeys/k').ok);
  });

  it('in Azure names vault, key and version', () => {
    const vaultUrl = 'https://v.vault.azure.net';
    assert.deepEqual(parseAzureKey('azurekms://V.vault.azure.net/Key-1'), {
      ok: true,
      key: { vaultUrl, name: 'Key-1', version: undefined },
    });
    const version = 'a'.repeat(32);
    assert.deepEqual(parseAzureKey(`azurekms://v.vault.azure.net/k/${version}`), {
      ok: true,
      key: { vaultUrl, name: 'k', version },
    });
    assert.ok(parseAzureKey('azurekms://hsm.managedhsm.azure.net:443/k/').ok);
  });

  const BAD: readonly (readonly [parse: (uri: string) => { readonly ok: boolean }, uris: readonly string[]])[] = [
    [
      parseVaultKey,
      [
        'hashivault://',
        'hashivault:///demo',
        'hashivault://a/b',
        'hashivault://-a',
        'hashivault://a.',
        'hashivault://..',
      ]
        .concat(['hashivault://a?b', 'hashivault://a%2fb', 'hashivault://a b', 'vault://a', 'HASHIVAULT://a'])
        .concat(['hashivault://ü', 'hashivault://a\n', `hashivault://${'a'.repeat(300)}`]),
    ],
    [
      parseGcpKey,
      [RING, `${RING}/`, `${RING}/k/`, `${RING}/k/versions/`, `${RING}/k/versions/0`, `${RING}/k/versions/latest`]
        .concat([`${RING}/k/versions/1/x`, `${RING}/../k`, `${RING}/k?x`, 'gcpkms:///projects/p', `${RING}/k\n`])
        .concat([`${RING}/${'k'.repeat(64)}`, `${RING}/k/versions/12345678901`]),
    ],
    [
      parseAzureKey,
      ['azurekms://', 'azurekms:///k', 'azurekms://v.vault.azure.net', 'azurekms://v.vault.azure.net/']
        .concat([
          'azurekms://v/k/v/x',
          'azurekms://user@v/k',
          'azurekms://v/k_1',
          'azurekms://v/k?x',
          'azurekms://v:99999/k',
        ])
        .concat(['azurekms://-v/k', 'azurekms://v/k\n', 'azurekms://[::1]/k', `azurekms://v/${'k'.repeat(128)}`]),
    ],
  ];
  for (const [parse, uris] of BAD) {
    it(`is refused in one line by ${parse.name} when it is another`, () => {
      for (const uri of uris) {
        const result = parse(uri);
        assert.ok(!result.ok && 'problem' in result, uri);
        assert.match(String(result.problem), /^expected .*, found "[\x20-\x7e]*"/);
      }
    });
  }
});
