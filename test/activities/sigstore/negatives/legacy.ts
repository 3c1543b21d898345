import { MAX_BUNDLE_BYTES } from '../../../../activities/limits.ts';
import { toPem } from '../../../support/virtual-sigstore/der.ts';
import { BASES } from './bases.ts';
import { type Base, type Bend, flip64, otherKey, type Row, releaseKey, rowsOf, sigstore, stranger } from './case.ts';
import { annotation, missing, otherLeaf, rekorRows } from './legacy-bends.ts';

const critical = (change: (critical: Record<string, unknown>) => object): Bend => ({
  payload: (usual) => ({ ...usual, critical: change(usual['critical'] as Record<string, unknown>) }),
}); // made by us
const digest = (text: unknown): Bend => critical((it) => ({ ...it, image: { 'docker-manifest-digest': text } }));
const reference = (text: unknown): Bend => critical((it) => ({ ...it, identity: { 'docker-reference': text } }));

/** Twins of the rows below that name the same repository in another spelling. */
export const LEGACY_POSITIVES: readonly (readonly [base: Base, what: string, bend: Bend])[] = [
  [BASES.legacyKeyed, 'the registry with its default port', reference('registry.example:443/team/app')],
  [BASES.legacyKeyed, 'the registry in capitals and with a dot behind it', reference('Registry.Example./team/app')],
];

/** cosign's `.sig` layers: payload and annotations. */
export const LEGACY_ROWS: readonly Row[] = [
  ...rekorRows(BASES.legacy),
  ...rowsOf(BASES.legacyKeyed, [
    ['the last bit of the signature', 'SIGNATURE_INVALID', annotation('signature', (text) => flip64(text))],
    ['no signature', 'EVIDENCE_MALFORMED', missing('signature')],
    ['an empty signature', 'EVIDENCE_MALFORMED', annotation('signature', () => '')],
    ['another signature in base64url', 'SIGNATURE_INVALID', annotation('signature', () => '-_-_')],
    ['a signature with another character', 'EVIDENCE_MALFORMED', annotation('signature', (text) => `${text}.`)],
    ['a signature that is huge', 'EVIDENCE_TOO_LARGE', annotation('signature', () => 'A'.repeat(1024 * 1024))],
    ['a payload that is huge', 'EVIDENCE_TOO_LARGE', { bytes: (text) => text + ' '.repeat(MAX_BUNDLE_BYTES) }],
    ['a signature by another key', 'SIGNATURE_INVALID', { signWith: otherKey }],
    ['white space in the payload', 'SIGNATURE_INVALID', { bytes: (text) => `${text} ` }],
    ['the digest in the payload', 'SIGNATURE_INVALID', { bytes: (text) => text.replace('a1', 'b2') }],
    [
      'a certificate beside it where the policy wants a key',
      'SIGNATURE_INVALID',
      { signWith: otherKey, annotations: (usual) => ({ ...usual, chain: otherLeaf.pem }) },
    ],
    ['another digest', 'SUBJECT_MISMATCH', digest(`sha256:${'b2'.repeat(32)}`)],
    ['the digest in capitals', 'SUBJECT_MISMATCH', digest(`sha256:${'A1'.repeat(32)}`)],
    ['the digest without its algorithm', 'SUBJECT_MISMATCH', digest('a1'.repeat(32))],
    ['a digest that is a list', 'EVIDENCE_MALFORMED', digest([`sha256:${'a1'.repeat(32)}`])],
    ['another digest asked for', 'SUBJECT_MISMATCH', { expected: { digest: `sha256:${'b2'.repeat(32)}` as never } }],
    ['another repository', 'REPOSITORY_MISMATCH', reference('registry.example/team/other')],
    ['another registry', 'REPOSITORY_MISMATCH', reference('registry.example:5000/team/app')],
    ['a repository below', 'REPOSITORY_MISMATCH', reference('registry.example/team/app/x')],
    ['a repository in capitals', 'REPOSITORY_MISMATCH', reference('registry.example/team/App')],
    ['an empty reference', 'REPOSITORY_MISMATCH', reference('')],
    [
      'another repository asked for',
      'REPOSITORY_MISMATCH',
      { expected: { repository: 'registry.example/team/other' } },
    ],
    ['a reference that is a number', 'EVIDENCE_MALFORMED', reference(7)],
    [
      'another type of payload',
      'EVIDENCE_UNSUPPORTED',
      critical((it) => ({ ...it, type: 'atomic container signature' })),
    ],
    ['no type of payload', 'EVIDENCE_MALFORMED', critical(({ type: _, ...rest }) => rest)],
    ['a field more in what is critical', 'EVIDENCE_MALFORMED', critical((it) => ({ ...it, more: {} }))],
    [
      'a field more in the image',
      'EVIDENCE_MALFORMED',
      critical((it) => ({ ...it, image: { 'docker-manifest-digest': `sha256:${'a1'.repeat(32)}`, more: 1 } })),
    ],
    ['a field more beside what is critical', 'EVIDENCE_MALFORMED', { payload: (it) => ({ ...it, more: 1 }) }],
    [
      'names in capitals',
      'EVIDENCE_MALFORMED',
      { payload: ({ critical: it, optional }) => ({ Critical: it, optional }) },
    ],
    [
      'the digest twice',
      'EVIDENCE_MALFORMED',
      {
        payload: (it) =>
          Buffer.from(
            JSON.stringify(it).replace(
              '"docker-manifest-digest":',
              '"docker-manifest-digest":"x","docker-manifest-digest":',
            ),
          ),
      },
    ],
    [
      "a statement in the payload's place",
      'EVIDENCE_MALFORMED',
      {
        payload: () => ({
          _type: 'https://in-toto.io/Statement/v1',
          subject: [{ digest: { sha256: 'a1'.repeat(32) } }],
        }),
      },
    ],
    ['a payload that is not JSON', 'EVIDENCE_MALFORMED', { payload: () => Buffer.from('sha256') }],
    [
      'where an attestation is wanted',
      'ATTESTATION_MISSING',
      {
        require: (it) => ({
          ...it,
          wanted: { kind: 'attestation', predicateTypes: ['https://slsa.dev/provenance/v1'] },
        }),
      },
    ],
  ]),
  ...rowsOf(BASES.legacyKeyedLogged, [
    ['no entry', 'LOG_ENTRY_MISSING', missing('bundle')],
    [
      'an entry about another key',
      'LOG_ENTRY_MISMATCH',
      { logged: (it) => ({ ...it, signer: { kind: 'key', key: otherKey } }) },
    ],
    [
      'an entry about another signature by the same key',
      'LOG_ENTRY_MISMATCH',
      { logged: (it) => ({ ...it, signature: releaseKey.sign(Buffer.from('other')) }) },
    ],
  ]),
  ...rowsOf(BASES.legacy, [
    ['no certificate', 'WRONG_IDENTITY', missing('certificate')],
    ['a certificate of another key', 'SIGNATURE_INVALID', annotation('certificate', () => otherLeaf.pem)],
    [
      'another certificate before the right one',
      'SIGNATURE_INVALID',
      annotation('certificate', (text) => otherLeaf.pem + text),
    ],
    ['a certificate that is junk', 'EVIDENCE_MALFORMED', annotation('certificate', () => 'junk')],
    [
      'a certificate under another label',
      'EVIDENCE_MALFORMED',
      annotation('certificate', (text) => text.replaceAll('CERTIFICATE', 'PUBLIC KEY')),
    ],
    [
      "a public key in the certificate's place",
      'EVIDENCE_MALFORMED',
      annotation('certificate', () => toPem(releaseKey.spki, 'PUBLIC KEY')),
    ],
    [
      'a certificate with junk in its base64',
      'EVIDENCE_MALFORMED',
      annotation('certificate', (text) => text.replace('\nM', '\n!M')),
    ],
    [
      'its own chain of a stranger',
      'CERTIFICATE_UNTRUSTED',
      {
        leaf: { by: stranger.intermediate },
        annotations: (usual) => ({ ...usual, chain: stranger.intermediate.pem + stranger.root.pem }),
      },
    ],
    ['another identity', 'WRONG_IDENTITY', { leaf: { names: [{ kind: 'email', text: 'evil@evil.test' }] } }],
    ['no certificate timestamp', 'CERTIFICATE_UNLOGGED', { leaf: { scts: { logs: [] } } }],
  ]),
  ...rowsOf(BASES.legacyStamped, [
    ['no timestamp', 'TIMESTAMP_MISSING', missing('timestamp')],
    ['an empty timestamp', 'TIMESTAMP_MISSING', annotation('timestamp', () => '')],
    [
      'a bit of the timestamp',
      'TIMESTAMP_INVALID',
      annotation('timestamp', (text) =>
        JSON.stringify({
          SignedRFC3161Timestamp: flip64(
            (JSON.parse(text) as { SignedRFC3161Timestamp: string }).SignedRFC3161Timestamp,
          ),
        }),
      ),
    ], // made by us
    ['a timestamp that is not JSON', 'EVIDENCE_MALFORMED', annotation('timestamp', (text) => text.slice(1))],
    [
      'the timestamp twice',
      'EVIDENCE_MALFORMED',
      annotation('timestamp', (text) => text.replace('{', '{"SignedRFC3161Timestamp":"",')),
    ],
    [
      'a timestamp over the payload',
      'TIMESTAMP_INVALID',
      {
        stamps: (_, { content }) => [
          sigstore.tsa
            .stamp(content.kind === 'blob' ? content.bytes : Buffer.alloc(0), sigstore.now)
            .toString('base64'),
        ],
      },
    ],
    [
      'a timestamp by a stranger',
      'TIMESTAMP_UNTRUSTED',
      { stamps: (_, { signature }) => [stranger.tsa.stamp(signature, sigstore.now).toString('base64')] },
    ],
  ]),
];
