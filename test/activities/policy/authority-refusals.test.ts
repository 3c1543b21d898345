import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { authorityChain } from './material.ts';
import { KEYLESS, type Parts, policyDocument, problemsOf, publicKeyPem } from './policy-directory.ts';

const PEM = publicKeyPem();
const KEY: Parts = { key: { data: PEM } };
const keyless = (more: Parts): Parts => ({ keyless: { ...KEYLESS, ...more } });

async function problems(t: TestContext, authority: Parts, files: Readonly<Record<string, string>> = {}) {
  return (await problemsOf(t, { 'demo.yaml': policyDocument([authority]), ...files })).join('\n');
}

describe('what is refused of an authority', () => {
  const attested = (attestation: Parts): Parts => ({
    ...KEY,
    attestations: [{ name: 'a', predicateType: 'spdx', ...attestation }],
  });
  const [intermediate, root] = authorityChain();
  const rows: readonly (readonly [string, Parts, RegExp])[] = [
    [
      'no signer',
      { name: 'a' },
      /\[0\]\.key: expected a value, found no such field; add one of key, keyless and static$/,
    ],
    [
      'two signers',
      { ...KEY, ...keyless({}) },
      /\[0\]: expected one of key, keyless, static, found key and keyless; split/,
    ],
    [
      'a key in a KMS and in the policy',
      { key: { kms: 'awskms:///alias/x', data: PEM } },
      /\.key: expected one of data, secretRef and kms, found kms beside another; remove one$/,
    ],
    [
      'a key in a service that is not known',
      { key: { kms: 'k8s://cosign-system/release' } },
      /\.key\.kms: the key is not usable: expected a key URI that begins with awskms:\/\/, .*found "k8s:/,
    ],
    [
      'a key in a KMS by half a name',
      { key: { kms: 'awskms://alias/release' } },
      /\.key\.kms: the key is not usable: expected .*, found /,
    ],
    [
      'a key of no name',
      { key: { kms: '' } },
      /\.key\.kms: expected a string, found an empty one; write a value or remove the field$/,
    ],
    ['no identities', { keyless: {} }, /keyless\.identities: expected a value, found no such field; say who may sign/],
    ['empty identities', { keyless: { identities: [] } }, /keyless\.identities: expected at least one item/],
    [
      'an identity without subject',
      keyless({ identities: [{ issuer: 'i' }] }),
      /\[0\]: expected one of subject and subjectRegExp, found neither/,
    ],
    [
      'an identity without issuer',
      keyless({ identities: [{ subject: 's' }] }),
      /\[0\]: expected one of issuer and issuerRegExp, found neither/,
    ],
    [
      'both kinds of issuer',
      keyless({ identities: [{ issuer: 'i', issuerRegExp: 'i', subject: 's' }] }),
      /found both; remove one/,
    ],
    [
      'a broken pattern',
      keyless({ identities: [{ issuerRegExp: '(', subject: 's' }] }),
      /issuerRegExp: expected a pattern, found "\(", which is not usable: expected RE2 syntax/,
    ],
    [
      'a back-reference',
      keyless({ identities: [{ issuerRegExp: '(a)\\1', subject: 's' }] }),
      /issuerRegExp: expected a pattern/,
    ],
    [
      'a long pattern',
      keyless({ identities: [{ issuerRegExp: 'a'.repeat(1025), subject: 's' }] }),
      /at most 1024 characters, found 1025/,
    ],
    [
      'url and ca-cert',
      keyless({ url: 'https://f.example', 'ca-cert': { data: root.pem } }),
      /keyless: expected one of url and ca-cert, found both/,
    ],
    [
      'an address with a password',
      keyless({ url: 'https://u:hunter2@f.example' }),
      /url: expected an http or https URL without credentials/,
    ],
    ['another scheme', keyless({ url: 'file:///etc/passwd' }), /url: expected an http or https URL/],
    ['a CA in a KMS', keyless({ 'ca-cert': { kms: 'x' } }), /^[^\n]*ca-cert\.kms: expected no such field/],
    [
      'a leaf as CA',
      keyless({ 'ca-cert': { data: PEM } }),
      /ca-cert\.data: the certificates are not usable: expected 1 to 10 PEM blocks CERTIFICATE, found 0/,
    ],
    [
      'a chain upside down',
      keyless({ 'ca-cert': { data: `${root.pem}${intermediate.pem}` } }),
      /certificate 1 is not signed by the one after it; order them/,
    ],
    ['text around certificates', keyless({ 'ca-cert': { data: `x ${root.pem}` } }), /nothing around them/],
    ['static without action', { static: {} }, /static\.action: expected a value/],
    [
      'another action',
      { static: { action: 'warn' } },
      /static\.action: expected pass or fail, found "warn"; choose one/,
    ],
    ['a long message', { static: { action: 'fail', message: 'x'.repeat(501) } }, /at most 500 characters, found 501/],
    [
      'static with evidence',
      {
        static: { action: 'pass' },
        ctlog: {},
        attestations: [],
        source: [],
        signatureFormat: 'x',
        rfc3161timestamp: {},
      },
      /^(?:[^\n]+expected no such field beside static, which looks at no evidence; remove one of them\n?){5}$/,
    ],
    [
      'another format',
      { ...KEY, signatureFormat: 'cosign' },
      /signatureFormat: expected bundle or legacy, found "cosign"; remove it, both are found/,
    ],
    ['a source that is nothing', { ...KEY, source: [null] }, /source\[0\]: expected a mapping, found nothing/],
    ['a list of no source', { ...KEY, source: [] }, /source: expected at least one item, found none/],
    [
      'an issuer that is empty',
      { keyless: { identities: [{ issuer: '', subject: 'a@b.example' }] } },
      /identities\[0\]\.issuer: expected a string, found an empty one; write who issued the identity, issuerRegExp: "\^\$" for certificates without an issuer, or issuerRegExp: "\.\*" for any$/,
    ],
    [
      'an issuer that is nothing',
      { keyless: { identities: [{ issuer: null, subject: 'a@b.example' }] } },
      /identities\[0\]\.issuer: expected a string, found nothing; write who issued the identity, issuerRegExp: "\^\$"/,
    ],
    [
      'an issuer that is a number',
      { keyless: { identities: [{ issuer: 1, subject: 'a@b.example' }] } },
      /identities\[0\]\.issuer: expected a string, found a number; write it in quotes$/,
    ],
    [
      'an issuer that is a list',
      { keyless: { identities: [{ issuer: ['a'], subject: 'a@b.example' }] } },
      /identities\[0\]\.issuer: expected a string, found a list; write a string in its place$/,
    ],
    [
      'a pattern of an issuer that is empty',
      { keyless: { identities: [{ issuerRegExp: '', subject: 'a@b.example' }] } },
      /identities\[0\]\.issuerRegExp: expected a string, found an empty one; write who issued the identity, issuerRegExp: "\^\$"/,
    ],
    [
      'a subject that is empty',
      { keyless: { identities: [{ issuer: 'https://a.example', subject: '' }] } },
      /identities\[0\]\.subject: expected a string, found an empty one; write who may sign, or subjectRegExp: "\.\*" for anyone/,
    ],
    [
      'a source with a tag',
      { ...KEY, source: [{ oci: 'a.example/x:1' }] },
      /oci: expected registry\/repository without tag or digest, found "a\.example\/x:1"/,
    ],
    [
      'a source with an address',
      { ...KEY, source: [{ oci: 'https://a.example/x' }] },
      /oci: expected registry\/repository/,
    ],
    [
      'a tag prefix that is none',
      { ...KEY, source: [{ oci: 'a.example/x', tagPrefix: '-a/b' }] },
      /tagPrefix: expected at most 50 letters/,
    ],
    [
      'a pull secret outside',
      { ...KEY, source: [{ oci: 'a.example/x', signaturePullSecrets: [{ name: '../x' }] }] },
      /signaturePullSecrets\[0\]\.name: expected lower-case letters/,
    ],
    [
      'too many sources',
      { ...KEY, source: Array.from({ length: 6 }, () => ({ tagPrefix: 'a' })) },
      /source: expected at most 5 items, found 6/,
    ],
    [
      'an attestation without name',
      { ...KEY, attestations: [{ predicateType: 'spdx' }] },
      /attestations\[0\]\.name: expected a value/,
    ],
    ['an attestation without type', { ...KEY, attestations: [{ name: 'a' }] }, /predicateType: expected a value/],
    [
      'an unknown type',
      attested({ predicateType: 'sbom' }),
      /predicateType: expected custom, .*vsa or a URI, found "sbom"; correct it/,
    ],
    [
      'CUE',
      attested({ policy: { type: 'cue', data: 'x: 1' } }),
      /policy\.type: expected cel, found "cue", which is not evaluated here; write the condition in CEL, for example "predicate\./,
    ],
    [
      'Rego',
      attested({ policy: { type: 'rego', data: 'package x' } }),
      /policy\.type: expected cel, found "rego".*in CEL, for example/,
    ],
    ['a condition without text', attested({ policy: { type: 'cel' } }), /policy\.data: expected a value/],
    [
      'a condition elsewhere',
      attested({ policy: { type: 'cel', configMapRef: {}, data: 'true' } }),
      /configMapRef: expected no such field.*write the CEL expression into data/,
    ],
    [
      'a condition that is empty',
      attested({ policy: { type: 'cel', data: ' ' } }),
      /policy\.data: expected a condition in CEL, found one that is not usable: /,
    ],
    ['an unknown field', { ...KEY, keyles: {} }, /unknown field "keyles"; remove it/],
    [
      'a trust root that is nowhere',
      keyless({ trustRootRef: 'gone' }),
      /trustRootRef: expected a TrustRoot "gone" or the file trust\/gone\.json, found neither: .*ENOENT/,
    ],
  ];
  for (const [title, authority, pattern] of rows) {
    it(title, async (t) => assert.match(await problems(t, authority), pattern));
  }

  it('a trust root that is nowhere once for each place that names it', async (t) => {
    const authority = { ...keyless({ trustRootRef: 'gone' }), ctlog: { trustRootRef: 'gone' } };
    const found = await problemsOf(t, { 'demo.yaml': policyDocument([authority]) });
    assert.equal(found.length, 2, found.join('\n'));
  });

  it('credentials that are not usable, without their content', async (t) => {
    const authority = { ...KEY, source: [{ oci: 'a.example/x', signaturePullSecrets: [{ name: 'pull' }] }] };
    const rows: readonly (readonly [string, RegExp])[] = [
      ['hunter2', /expected a docker config\.json/],
      ['{"auths":{"hunter2":{"auth":"hunter2!"}}}', /expected a docker config\.json/],
      ['{"auths":{}}', /it holds no credential/],
      ['{"auths":{"a":{"auth":"YTpi"}},"credsStore":"hunter2"}', /it names a credential helper/],
      ['{"auths":{"a":{"auth":"YTpi"}},"credHelpers":{"a":"hunter2"}}', /it names a credential helper/],
      ['{"kind":"Secret","data":{".dockerconfigjson":"hunter2"}}', /expected a docker config\.json/],
      [`{"a":${'['.repeat(60_000)}`, /expected a docker config\.json/],
      ['x'.repeat(128 * 1024 + 1), /expected at most 131072 bytes/],
    ];
    for (const [content, pattern] of rows) {
      const text = await problems(t, authority, { 'secrets/pull.json': content });
      assert.match(text, /signaturePullSecrets\[0\]\.name: secrets\/pull\.json: /);
      assert.match(text, pattern);
      assert.doesNotMatch(text, /hunter2/);
    }
    assert.match(await problems(t, authority), /secrets\/pull\.json: expected a readable file, found ENOENT/);
  });

  it('private keys beside certificates, without their content', async (t) => {
    const authority = keyless({ 'ca-cert': { secretRef: { name: 'ca' } } });
    const pem = '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n';
    const text = await problems(t, authority, { 'secrets/ca.pem': pem });
    assert.match(
      text,
      /secretRef\.name: secrets\/ca\.pem: the certificates are not usable: they come with a private key/,
    );
    assert.doesNotMatch(text, /c2VjcmV0/);
  });
});
