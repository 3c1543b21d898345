import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { authorityWith, problemsWith } from '../demands.ts';
import { KEYLESS, type Parts, publicKeyPem } from '../policy-directory.ts';

const KEY: Parts = { key: { data: publicKeyPem() } };
const PUBLIC: Parts = { keyless: KEYLESS };

describe('what a policy wants of a key in a KMS', () => {
  it('is how it is looked at', async (t) => {
    const managed: Parts = { key: { kms: 'awskms:///alias/release' } };
    const usual = await authorityWith(t, managed);
    assert.partialDeepStrictEqual(usual.signer, {
      kind: 'kms',
      reference: { provider: 'awskms', uri: 'awskms:///alias/release' },
      freshness: { maxAgeMs: 300_000, staleMs: 0 },
      verification: 'local',
    });
    const demand = { key: { maxAge: '90s', whenUnreachable: { allowFor: '1h' }, verification: 'remote' } };
    const { signer } = await authorityWith(t, managed, demand);
    assert.partialDeepStrictEqual(signer, {
      freshness: { maxAgeMs: 90_000, staleMs: 3_600_000 },
      verification: 'remote',
    });
  });

  it('is refused where it is none, or is said twice', async (t) => {
    const managed: Parts = { key: { kms: 'awskms:///alias/release' } };
    const google: Parts = { key: { kms: 'gcpkms://projects/p/locations/global/keyRings/r/cryptoKeys/k' } };
    const rows: readonly (readonly [Parts, readonly Parts[], RegExp])[] = [
      [managed, [{ key: {} }], /spec\.key: expected maxAge, whenUnreachable or verification, found none; add one/],
      [managed, [{ key: { maxAge: '5' } }], /spec\.key\.maxAge: expected 10s to 60m, as in 90s, 5m or 1h, found "5"/],
      [managed, [{ key: { maxAge: '9s' } }], /maxAge: expected 10s to 60m/],
      [managed, [{ key: { maxAge: '61m' } }], /maxAge: expected 10s to 60m/],
      [managed, [{ key: { maxAge: '-5m' } }], /maxAge: expected 10s to 60m/],
      [managed, [{ key: { maxAge: '1h30m' } }], /maxAge: expected 10s to 60m/],
      [managed, [{ key: { whenUnreachable: {} } }], /whenUnreachable\.allowFor: expected a value, .* to refuse/],
      [managed, [{ key: { whenUnreachable: { allowFor: '25h' } } }], /allowFor: expected 60s to 1440m/],
      [managed, [{ key: { maxAge: '1h', whenUnreachable: { allowFor: '5m' } } }], /expected more than maxAge/],
      [managed, [{ key: { verification: 'both' } }], /verification: expected local or remote|expected local, remote/],
      [managed, [{ key: { maxAge: '1m' } }, { key: { maxAge: '2m' } }], /expected key in one document/],
      [google, [{ key: { verification: 'remote' } }], /expected local beside gcpkms:/],
      [KEY, [{ key: { maxAge: '1m' } }], /expected an authority with key\.kms, found one without; remove it/],
      [PUBLIC, [{ key: { maxAge: '1m' } }], /expected an authority with key\.kms, found one without; remove it/],
    ];
    for (const [authority, demands, expected] of rows) {
      assert.match(await problemsWith(t, authority, ...demands), expected);
    }
  });
});
