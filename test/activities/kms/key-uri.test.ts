import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAwsKey } from '../../../activities/kms/aws/key-uri.ts';
import { parseKeyUri } from '../../../activities/kms/key-uri.ts';
import { MAX_KEY_URI_LENGTH } from '../../../activities/limits.ts';

const ID = '1234abcd-12ab-34cd-56ef-1234567890ab';
const MRK = 'mrk-1234abcd12ab34cd56ef1234567890ab';

describe('awskms://', () => {
  for (const [what, text, endpoint, keyId, region, isAlias] of [
    ['the id of a key', ID, undefined, ID, undefined, false],
    ['the id of a multi-region key', MRK, undefined, MRK, undefined, false],
    ['an alias', 'alias/Example/a_b-c', undefined, 'alias/Example/a_b-c', undefined, true],
    ...['aws', 'aws-cn', 'aws-us-gov', 'aws-iso', 'aws-iso-b', 'aws-iso-e', 'aws-iso-f', 'aws-eusc'].map(
      (partition) => {
        const arn = `arn:${partition}:kms:us-gov-west-1:111122223333:key/${ID}`;
        return [`an ARN of ${partition}`, arn, undefined, arn, 'us-gov-west-1', false] as const;
      },
    ),
    ...['us-east-2', 'eu-isoe-west-1', 'us-isob-east-1', 'eusc-de-east-1', 'ap-southeast-5'].map((region) => {
      const arn = `arn:aws:kms:${region}:111122223333:alias/release`;
      return [`the ARN of an alias in ${region}`, arn, undefined, arn, region, true] as const;
    }),
  ] as const) {
    it(`takes ${what}`, () => {
      const expected = { ok: true, key: { endpoint, keyId, region, isAlias } };
      assert.deepEqual(parseAwsKey(`awskms:///${text}`), expected);
      const elsewhere = { ok: true, key: { endpoint: 'kms.example:4566', keyId, region, isAlias } };
      assert.deepEqual(parseAwsKey(`awskms://kms.example:4566/${text}`), elsewhere);
      const uri = `awskms:///${text}`;
      assert.deepEqual(parseKeyUri(uri), { ok: true, reference: { provider: 'awskms', uri } });
    });
  }

  for (const endpoint of [
    'localhost',
    'vpce-0a.kms.eu-west-1.vpce.amazonaws.com:443',
    '10.0.0.1:1',
    '[::1]:4566',
    '[fd00::1]',
  ]) {
    it(`takes the endpoint ${endpoint}`, () => {
      const parsed = parseAwsKey(`awskms://${endpoint}/${ID}`);
      assert.equal(parsed.ok && parsed.key.endpoint, endpoint);
    });
  }

  for (const [what, uri] of [
    ['two slashes', `awskms://${ID}`],
    ['no slash', `awskms:${ID}`],
    ['no key', 'awskms:///'],
    ['a short id', 'awskms:///1234abcd-12ab-34cd-56ef-1234567890a'],
    ['an id without dashes', `awskms:///${ID.replaceAll('-', '')}`],
    ['a multi-region id with dashes', `awskms:///mrk-${ID}`],
    ['a bare resource', `awskms:///key/${ID}`],
    ['an alias without a name', 'awskms:///alias/'],
    ['an alias with a space', 'awskms:///alias/a b'],
    ['an alias of another script', 'awskms:///alias/rеlease'],
    ['an alias that is too long', `awskms:///alias/${'a'.repeat(251)}`],
    ['an alias with a line break', 'awskms:///alias/a\n'],
    ['an ARN of another service', `awskms:///arn:aws:s3:us-east-2:111122223333:key/${ID}`],
    ['an ARN without a region', `awskms:///arn:aws:kms::111122223333:key/${ID}`],
    ['an ARN with a host for a region', `awskms:///arn:aws:kms:evil.example:111122223333:key/${ID}`],
    ['an ARN with a short account', `awskms:///arn:aws:kms:us-east-2:11112222333:key/${ID}`],
    ['an ARN without a kind', `awskms:///arn:aws:kms:us-east-2:111122223333:${ID}`],
    ['an ARN of a grant', 'awskms:///arn:aws:kms:us-east-2:111122223333:grant/x'],
    ['a port out of range', `awskms://localhost:65536/${ID}`],
    ['port 0', `awskms://localhost:0/${ID}`],
    ['a user at the endpoint', `awskms://user@localhost/${ID}`],
    ['a query', `awskms://local?host/${ID}`],
    ['something behind it', `awskms:///${ID}/x`],
    ['white space before it', ` awskms:///${ID}`],
    ['a scheme in capitals', `AWSKMS:///${ID}`],
  ] as const) {
    it(`refuses ${what}`, () => {
      const parsed = parseKeyUri(uri);
      assert.equal(parsed.ok, false);
      if (!parsed.ok) assert.match(parsed.problem, /^expected [\x20-\x7e]+, found [\x20-\x7e]+$/);
    });
  }
});

describe('the URI of a key', () => {
  it('of another scheme is refused with those that are known, and with what to do instead', () => {
    const parsed = parseKeyUri('k8s://ns/secret');
    assert.deepEqual(parsed, {
      ok: false,
      problem:
        'expected a key URI that begins with awskms://, hashivault://, openbao://, gcpkms:// or azurekms://, found "k8s://ns/secret"; a node should not read secrets of the cluster: put the public key into the policy ("key.data")',
    });
    for (const uri of ['', 'x', 'https://example.com', 'file:///etc/key', 'toString://x', '__proto__://x']) {
      assert.equal(parseKeyUri(uri).ok, false, uri);
    }
  });

  it('is refused unread when it is too long', () => {
    const parsed = parseKeyUri(`awskms:///alias/${'a'.repeat(MAX_KEY_URI_LENGTH)}`);
    assert.match(parsed.ok ? '' : parsed.problem, /^expected a key URI of at most 1024 characters, found 1040$/);
  });
});
