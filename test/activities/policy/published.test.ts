import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { authorityChain, trustedRootFile } from './material.ts';
import { type Parts, policyDocument, problemsOf, publicKeyPem } from './policy-directory.ts';

const PEM = publicKeyPem();
const KEY: Parts = { key: { data: PEM } };
const IDENTITY = {
  issuer: 'https://token.example.com',
  subject: 'https://forge.example/acme/app/build.yml@refs/heads/main',
};
const CLUSTER = { issuerRegExp: '.*cluster.local.*', subjectRegExp: '.*/namespaces/build/serviceaccounts/default' };
const PUBLIC: Parts = { keyless: { url: 'https://fulcio.sigstore.dev', identities: [IDENTITY] } };
const PRIVATE = { url: 'http://fulcio.sigstore.svc', identities: [CLUSTER] };
const REKOR: Parts = { ctlog: { url: 'http://rekor.sigstore.svc' } };
const OURS = { trustRootRef: 'my-sigstore-keys' };
const CUE = { type: 'cue', data: 'predicate: Data: "foo"' };
const REGO = { type: 'rego', data: 'package sigstore\ndefault isCompliant = false' };
const CEL = { type: 'cel', data: 'predicate.Data == "foo"' };

const attested = (policy: Parts | undefined, predicateType = 'custom'): Parts => ({
  attestations: [{ name: 'must-have', predicateType, ...(policy === undefined ? {} : { policy }) }],
});

/** Loads, or the sentence that refuses it. */
type Outcome = 'loads' | RegExp;

const USE_CEL =
  /policy\.type: expected cel, found "(?:cue|rego)", which is not evaluated here; write the condition in CEL/;
const NO_KMS = /kms: expected no such field, found "kms": not supported yet; export (?:the public key|it) into data/;
const BOTH_HALVES = /expected one of (?:issuer and issuerRegExp|subject and subjectRegExp), found neither/;
const NO_SPEC_POLICY = /spec\.policy: expected no such field.*put conditions into spec\.authorities\[\]\.attestations/;

/** The shapes of the documents in policy-controller's `examples/` and `test/testdata/policy-controller/`. */
const ROWS: readonly (readonly [string, readonly Parts[], Parts, Outcome])[] = [
  ['examples: signed by a workflow', [PUBLIC], {}, 'loads'],
  [
    'examples: release signed by a workflow',
    [
      {
        keyless: {
          ...PRIVATE,
          identities: [
            { ...IDENTITY, subject: undefined, subjectRegExp: 'https://forge.example/acme/.*@refs/tags/.*' },
          ],
        },
      },
    ],
    {},
    'loads',
  ],
  [
    'examples: signed by a key in AWS',
    [{ key: { kms: 'awskms:///arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab' } }],
    {},
    'loads',
  ],
  [
    'examples: signed by a key in GCP',
    [{ key: { kms: 'gcpkms://projects/p/locations/global/keyRings/r/cryptoKeys/k' } }],
    {},
    'loads',
  ],
  ['examples: an SBOM by a key, in CUE', [{ ...KEY, ...REKOR, ...attested(CUE, 'spdxjson') }], {}, USE_CEL],
  [
    'examples: an SBOM by a workflow, whoever it is',
    [{ keyless: { url: 'https://fulcio.sigstore.dev' }, ...attested(undefined, 'spdxjson') }],
    {},
    /keyless\.identities: expected a value/,
  ],
  [
    'examples: only pods',
    [{ static: { action: 'pass' } }],
    { match: [{ version: 'v1', resource: 'pods' }] },
    /spec\.match: expected no such field.*select by spec\.images/,
  ],
  ['e2e: key', [{ ...KEY, ...REKOR }], { images: [{ glob: '**demo**' }] }, 'loads'],
  ['e2e: key, no log', [KEY], {}, 'loads'],
  ['e2e: key in a secret', [{ key: { secretRef: { name: 'release' } } }], {}, 'loads'],
  ['e2e: key with a hash', [{ key: { data: PEM, hashAlgorithm: 'sha512' } }], {}, 'loads'],
  ['e2e: key with a pull secret', [{ ...KEY, source: [{ signaturePullSecrets: [{ name: 'regcred' }] }] }], {}, 'loads'],
  ['e2e: key with timestamps', [{ key: { secretRef: { name: 'release' } }, rfc3161timestamp: OURS }], {}, 'loads'],
  ['e2e: key with attestations', [{ ...KEY, ...REKOR, ...attested(CUE) }], {}, USE_CEL],
  ['e2e: the same in CEL', [{ ...KEY, ...REKOR, ...attested(CEL) }], {}, 'loads'],
  ['e2e: key with attestations, in Rego', [{ ...KEY, ...attested(REGO, 'vuln') }], {}, USE_CEL],
  [
    'e2e: key and keyless',
    [
      { ...KEY, ...REKOR },
      { keyless: PRIVATE, ...REKOR },
    ],
    {},
    'loads',
  ],
  ['e2e: key and keyless without SCT', [KEY, { keyless: { ...PRIVATE, insecureIgnoreSCT: true } }], {}, 'loads'],
  [
    'e2e: keyless, whoever it is',
    [{ keyless: { url: 'http://fulcio.sigstore.svc' }, ...REKOR }],
    {},
    /keyless\.identities: expected a value/,
  ],
  ['e2e: keyless with identities', [{ keyless: PRIVATE, ...REKOR }], {}, 'loads'],
  ['e2e: keyless that warns', [{ keyless: PRIVATE, ...REKOR }], { mode: 'warn' }, 'loads'],
  [
    'e2e: keyless with a source',
    [{ keyless: PRIVATE, source: [{ oci: 'registry.local:5000/acme/signatures' }], ...REKOR }],
    {},
    'loads',
  ],
  [
    'e2e: keyless with a tag prefix',
    [{ keyless: PRIVATE, source: [{ tagPrefix: 'sigprefix' }], ...REKOR }],
    {},
    'loads',
  ],
  [
    'e2e: keyless with a trust root',
    [
      {
        keyless: { ...PRIVATE, ...OURS },
        ctlog: { url: 'http://rekor.sigstore.svc', ...OURS },
        ...attested(CEL, 'https://cosign.sigstore.dev/attestation/v1'),
      },
    ],
    {},
    'loads',
  ],
  [
    'e2e: keyless with a trust root that is nowhere',
    [{ keyless: { ...PRIVATE, trustRootRef: 'other' } }],
    {},
    /trustRootRef: expected a TrustRoot "other" or the file/,
  ],
  ['e2e: the configuration of the image', [KEY], { policy: { ...CUE, fetchConfigFile: true } }, NO_SPEC_POLICY],
  ['e2e: the workload', [KEY], { policy: { ...CUE, includeSpec: true, includeObjectMeta: true } }, NO_SPEC_POLICY],
  [
    'e2e: a policy from an address',
    [{ static: { action: 'pass' } }],
    { policy: { type: 'cue', remote: { url: 'https://a.example' } } },
    NO_SPEC_POLICY,
  ],
  ['e2e: two signatures and two attestations', [{ ...KEY, ...attested(CEL) }, PUBLIC], { policy: CUE }, NO_SPEC_POLICY],
  ['e2e: everything passes', [{ static: { action: 'pass' } }], {}, 'loads'],
  ['e2e: nothing passes', [{ static: { action: 'fail' } }], {}, 'loads'],
  ['tsa: timestamps and no signer', [{ rfc3161timestamp: OURS }], {}, /add one of key, keyless and static/],
  [
    'tsa: keyless with timestamps in place of a log',
    [{ keyless: { ...PRIVATE, ...OURS, insecureIgnoreSCT: true }, rfc3161timestamp: OURS }],
    {},
    'loads',
  ],
  [
    'private attestations of a forge',
    [
      {
        keyless: { ...PRIVATE, ...OURS, insecureIgnoreSCT: true },
        ctlog: OURS,
        rfc3161timestamp: OURS,
        signatureFormat: 'bundle',
        ...attested(undefined, 'https://slsa.dev/provenance/v1'),
      },
    ],
    {},
    'loads',
  ],
  ['empty authorities: absent', [], { authorities: undefined }, /spec\.authorities: expected a value/],
  ['empty authorities: empty', [], {}, /spec\.authorities: expected at least one item/],
  ['invalid: empty keyless', [{ keyless: {} }], {}, /keyless\.identities: expected a value/],
  [
    'invalid: empty key',
    [{ key: {} }],
    {},
    /\.key: expected one of data, secretRef and kms, found none of them; write/,
  ],
  [
    'invalid: empty key and keyless',
    [{ key: {}, keyless: {} }],
    {},
    /expected one of key, keyless, static, found key and keyless/,
  ],
  ['invalid: good key and keyless in one', [{ ...KEY, ...PUBLIC }], {}, /found key and keyless; split the authority/],
  ['invalid: no signer', [{ name: 'a' }], {}, /add one of key, keyless and static/],
  ['invalid: a list of an authority', [{ keyless: [] }], {}, /keyless: expected a mapping, found a list/],
  ['invalid: glob', [KEY], { images: [{ glob: '[' }] }, /glob: expected at most 512 of letters/],
  ['invalid: glob and regex', [KEY], { images: [{ glob: 'image*', regex: 'image.*' }] }, /unknown field "regex"/],
  ['invalid: mode', [KEY], { mode: 'observe' }, /mode: expected enforce or warn, found "observe"/],
  ['invalid: public key', [{ key: { data: 'MFkwEwYH' } }], {}, /key\.data: the key is not usable/],
  [
    'invalid: hash',
    [{ key: { data: PEM, hashAlgorithm: 'sha1' } }],
    {},
    /hashAlgorithm: expected sha256 or sha384 or sha512, found "sha1"/,
  ],
  [
    'invalid: two places of one key',
    [{ key: { data: PEM, secretRef: { name: 'release' } } }],
    {},
    /\.key: expected one of data, secretRef and kms, found data and secretRef; remove one/,
  ],
  [
    'invalid: url and ca-cert',
    [{ keyless: { ...PRIVATE, 'ca-cert': { secretRef: { name: 'ca' } } } }],
    {},
    /expected one of url and ca-cert, found both/,
  ],
  [
    'invalid: empty identities',
    [{ keyless: { ...PRIVATE, identities: [] } }],
    {},
    /identities: expected at least one item/,
  ],
  [
    'invalid: malformed issuer',
    [{ keyless: { identities: [{ ...CLUSTER, issuerRegExp: '***' }] } }],
    {},
    /issuerRegExp: expected a pattern/,
  ],
  [
    'invalid: malformed subject',
    [{ keyless: { identities: [{ ...CLUSTER, subjectRegExp: '(' }] } }],
    {},
    /subjectRegExp: expected a pattern/,
  ],
  ['warn: no identity', [{ keyless: { identities: [{}] } }], {}, BOTH_HALVES],
  ['warn: no issuer', [{ keyless: { identities: [{ subject: 's' }] } }], {}, BOTH_HALVES],
  ['warn: no subject', [{ keyless: { identities: [{ issuer: 'i' }] } }], {}, BOTH_HALVES],
  [
    'valid: a certificate authority in a secret',
    [{ keyless: { identities: [IDENTITY], 'ca-cert': { secretRef: { name: 'ca' } } } }],
    {},
    'loads',
  ],
  [
    'valid: a certificate authority in a KMS',
    [{ keyless: { identities: [IDENTITY], 'ca-cert': { kms: 'awskms:///x' } } }],
    {},
    NO_KMS,
  ],
  [
    'valid: a secret of another namespace',
    [{ key: { secretRef: { name: 'release', namespace: 'prod' } } }],
    {},
    /namespace: expected cosign-system, found "prod"; remove it/,
  ],
  [
    'valid: a name of 64 characters',
    [{ ...KEY, name: 'n'.repeat(64) }],
    {},
    /name: expected at most 63 letters, digits, spaces and \. _ -, found "n+\.\."; rename it/,
  ],
  [
    'valid: all kinds of signers',
    [
      { keyless: { identities: [{ issuer: 'i', subjectRegExp: '.*s.*' }] } },
      { keyless: { identities: [{ issuerRegExp: 'i.*', subject: 's' }] } },
      { ...KEY, name: 'keyless signatures' },
      KEY,
    ],
    { images: [{ glob: 'images.*' }, { glob: 'image*' }] },
    'loads',
  ],
  [
    'valid: match by labels',
    [PUBLIC],
    { match: [{ group: 'apps', resource: 'deployments', selector: { matchLabels: { a: 'b' } } }] },
    /spec\.match: expected no such field/,
  ],
];

describe('documents in the shapes that policy-controller publishes', () => {
  const [intermediate, root] = authorityChain();
  const files = {
    'secrets/release.pub': PEM,
    'secrets/ca.pem': `${intermediate.pem}${root.pem}`,
    'secrets/regcred.json': '{"auths":{"registry.local:5000":{"username":"u","password":"p"}}}',
    'trust/my-sigstore-keys.json': trustedRootFile(),
  };
  for (const [title, authorities, spec, outcome] of ROWS) {
    for (const version of ['v1alpha1', 'v1beta1']) {
      it(`${title} (${version})`, async (t) => {
        const document = policyDocument(authorities, spec).replace('v1beta1', version);
        const text = (await problemsOf(t, { 'demo.yaml': document, ...files })).join('\n');
        if (outcome === 'loads') assert.equal(text, '');
        else assert.match(text, outcome);
      });
    }
  }
});
