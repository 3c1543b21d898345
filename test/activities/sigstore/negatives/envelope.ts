import { sign } from 'node:crypto';
import { MAX_BUNDLE_BYTES, MAX_SUBJECTS, MAX_TIMESTAMPS, MAX_TLOG_ENTRIES } from '../../../../activities/limits.ts';
import { sha256 } from '../../../support/virtual-sigstore/key-pair.ts';
import { goodKey } from '../verdict-of.ts';
import { BASES } from './bases.ts';
import { type Bend, flip64, otherKey, type Row, releaseKey, rowsOf, stranger } from './case.ts';

const HEX = 'a1'.repeat(32);
const subjects = (...list: readonly unknown[]): Bend => ({ payload: (usual) => ({ ...usual, subject: list }) });
const signedText = (text: string | Uint8Array): Bend => ({ payload: () => Buffer.from(text) });
const replace = (from: string | RegExp, to: string): Bend => ({ bytes: (text) => text.replace(from, to) });
const sig = (change: (sig: string) => string): Bend => ({
  bundle: ({ dsseEnvelope }) => {
    for (const signature of dsseEnvelope?.signatures ?? []) signature.sig = change(signature.sig);
  },
});
const payload = (change: (payload: string) => string): Bend => ({
  bundle: ({ dsseEnvelope }) => {
    if (dsseEnvelope !== undefined) dsseEnvelope.payload = change(dsseEnvelope.payload);
  },
});
const recode = (text: string, change: (json: string) => string) =>
  Buffer.from(change(Buffer.from(text, 'base64').toString())).toString('base64');
const BY_KEY = { kind: 'key', key: goodKey(releaseKey.publicPem) } as const;
const hint = sha256(otherKey.spki).toString('base64');

/** What was signed, and the signature. */
export const SIGNATURE_ROWS: readonly Row[] = [
  ...rowsOf(BASES.keyed, [
    ['the last bit of the signature', 'SIGNATURE_INVALID', sig((text) => flip64(text))],
    ['the first bit of the signature', 'SIGNATURE_INVALID', sig((text) => flip64(text, 0))],
    [
      'the signature, cut',
      'SIGNATURE_INVALID',
      sig((text) => Buffer.from(text, 'base64').subarray(0, -1).toString('base64')),
    ],
    [
      'the signature, with a byte behind it',
      'SIGNATURE_INVALID',
      sig((text) => Buffer.concat([Buffer.from(text, 'base64'), Buffer.from([0])]).toString('base64')),
    ],
    [
      'the signature, all zeros',
      'SIGNATURE_INVALID',
      sig((text) => Buffer.alloc(Buffer.from(text, 'base64').length).toString('base64')),
    ],
    ['r and s zero', 'SIGNATURE_INVALID', sig(() => Buffer.from('3006020100020100', 'hex').toString('base64'))],
    ['signed by another key under the right hint', 'SIGNATURE_INVALID', { signWith: otherKey }],
    [
      'signed by another key, which it names',
      'WRONG_KEY',
      {
        signWith: otherKey,
        bundle: (it) => {
          it.verificationMaterial.publicKey = { hint };
        },
      },
    ],
    [
      'signed with SHA-1 by the right key',
      'SIGNATURE_INVALID',
      { signed: (it) => ({ ...it, signature: sign('sha1', Buffer.from('x'), releaseKey.privateKey) }) },
    ],
    [
      'signed without the pre-authentication encoding',
      'SIGNATURE_INVALID',
      {
        signed: (it) => ({
          ...it,
          signature: it.content.kind === 'envelope' ? releaseKey.sign(it.content.envelope.payload) : it.signature,
        }),
      },
    ],
    ['white space in the payload', 'SIGNATURE_INVALID', payload((text) => recode(text, (json) => `${json} `))],
    [
      'the digest in the payload',
      'SIGNATURE_INVALID',
      payload((text) => recode(text, (json) => json.replace(HEX, 'b2'.repeat(32)))),
    ],
    [
      'the predicate in the payload',
      'SIGNATURE_INVALID',
      payload((text) => recode(text, (json) => json.replace('"predicate":{}', '"predicate":[]'))),
    ],
    [
      'the payload type, afterwards',
      'SIGNATURE_INVALID',
      {
        bundle: ({ dsseEnvelope }) => {
          if (dsseEnvelope) dsseEnvelope.payloadType = 'application/vnd.in-toto+xml';
        },
      },
    ],
    ['the payload type, signed', 'EVIDENCE_UNSUPPORTED', { payloadType: 'text/plain' }],
    ['the payload type in capitals, signed', 'EVIDENCE_UNSUPPORTED', { payloadType: 'application/vnd.in-toto+JSON' }],
  ]),
  ...rowsOf(BASES.stamped, [
    ["a signature by another key than the certificate's", 'SIGNATURE_INVALID', { signWith: otherKey }],
    [
      'a bit of the signature, before it is stamped',
      'SIGNATURE_INVALID',
      { signed: (it) => ({ ...it, signature: Buffer.from(flip64(it.signature.toString('base64')), 'base64') }) },
    ],
    ['a certificate where the policy wants a key', 'WRONG_KEY', { require: (it) => ({ ...it, signer: BY_KEY }) }],
  ]),
  ...rowsOf(BASES.keyless, [
    ["a signature by another key than the certificate's, logged", 'SIGNATURE_INVALID', { signWith: otherKey }],
    [
      'the payload, afterwards',
      'SIGNATURE_INVALID',
      { logged: (it) => it, ...payload((text) => recode(text, (json) => json.replace(HEX, 'b2'.repeat(32)))) },
    ],
  ]),
  ...rowsOf(BASES.keyedStamped, [
    [
      'a key where the policy wants an identity',
      'WRONG_IDENTITY',
      {
        require: (it) => ({ ...it, signer: { kind: 'keyless', identities: [], claims: [], certificateTimestamps: 1 } }),
      },
    ],
  ]),
];

/** What the signed statement says. */
export const STATEMENT_ROWS: readonly Row[] = [
  ...rowsOf(BASES.keyed, [
    ['another digest in the statement', 'SUBJECT_MISMATCH', subjects({ digest: { sha256: 'b2'.repeat(32) } })],
    ['another digest asked for', 'SUBJECT_MISMATCH', { expected: { digest: `sha256:${'b2'.repeat(32)}` as never } }],
    ['the digest in capitals', 'SUBJECT_MISMATCH', subjects({ digest: { sha256: HEX.toUpperCase() } })],
    ['the digest with its algorithm', 'SUBJECT_MISMATCH', subjects({ digest: { sha256: `sha256:${HEX}` } })],
    ['the digest without its last digit', 'SUBJECT_MISMATCH', subjects({ digest: { sha256: HEX.slice(0, -1) } })],
    ['the digest with white space', 'SUBJECT_MISMATCH', subjects({ digest: { sha256: `${HEX} ` } })],
    ['the digest as SHA-512', 'SUBJECT_MISMATCH', subjects({ digest: { sha512: HEX } })],
    [
      "the digest as the subject's name",
      'SUBJECT_MISMATCH',
      subjects({ name: `sha256:${HEX}`, digest: { sha1: 'aa' } }),
    ],
    [
      'the digest in the predicate only',
      'SUBJECT_MISMATCH',
      {
        payload: (it) => ({
          ...it,
          subject: [{ digest: { sha256: 'b2'.repeat(32) } }],
          predicate: { subject: it['subject'] },
        }),
      },
    ],
    ['a digest that is a list', 'EVIDENCE_MALFORMED', subjects({ digest: [HEX] })],
    ['no subject', 'EVIDENCE_MALFORMED', { payload: ({ subject: _, ...rest }) => rest }],
    ['an empty list of subjects', 'EVIDENCE_MALFORMED', subjects()],
    [
      'a subject that is not in a list',
      'EVIDENCE_MALFORMED',
      { payload: (it) => ({ ...it, subject: { digest: { sha256: HEX } } }) },
    ],
    ['a null before the subject', 'EVIDENCE_MALFORMED', subjects(null, { digest: { sha256: HEX } })],
    [
      'a subject too many',
      'EVIDENCE_TOO_LARGE',
      subjects(...Array(MAX_SUBJECTS + 1).fill({ digest: { sha256: HEX } })),
    ],
    [
      '33 digests of a subject',
      'EVIDENCE_TOO_LARGE',
      subjects({
        digest: { sha256: HEX, ...Object.fromEntries(Array.from({ length: 32 }, (_, n) => [`h${n}`, 'x'])) },
      }),
    ],
    [
      'another statement type',
      'EVIDENCE_UNSUPPORTED',
      { payload: (it) => ({ ...it, _type: 'https://in-toto.io/Statement/v2' }) },
    ],
    ['no statement type', 'EVIDENCE_MALFORMED', { payload: ({ _type: _, ...rest }) => rest }],
    ['no predicate type', 'EVIDENCE_MALFORMED', { payload: ({ predicateType: _, ...rest }) => rest }],
    [
      'provenance where a signature is wanted',
      'EVIDENCE_UNSUPPORTED',
      { payload: (it) => ({ ...it, predicateType: 'https://slsa.dev/provenance/v1' }) },
    ],
    [
      'the predicate type with a slash behind it',
      'EVIDENCE_UNSUPPORTED',
      { payload: (it) => ({ ...it, predicateType: `${String(it['predicateType'])}/` }) },
    ],
    ['a signed list', 'EVIDENCE_MALFORMED', signedText('[]')],
    ['signed text that is not JSON', 'EVIDENCE_MALFORMED', signedText('{"_type":')],
    ['a signed simple signing payload', 'EVIDENCE_MALFORMED', signedText('{"critical":{},"optional":null}')],
    ['a signed statement that is not UTF-8', 'EVIDENCE_MALFORMED', signedText(Buffer.from([0x7b, 0xff, 0x7d]))],
    [
      'the subject twice in the signed statement',
      'EVIDENCE_MALFORMED',
      { payload: (it) => Buffer.from(JSON.stringify(it).replace('"subject":', '"subject":[],"subject":')) },
    ],
    [
      'a signed statement that is nested too deep',
      'EVIDENCE_MALFORMED',
      {
        payload: (it) =>
          Buffer.from(JSON.stringify(it).replace('"predicate":{}', `"predicate":${'['.repeat(99)}${']'.repeat(99)}`)),
      },
    ],
  ]),
  ...rowsOf(BASES.attestation, [
    [
      'another predicate type than the policy wants',
      'ATTESTATION_MISSING',
      { require: (it) => ({ ...it, wanted: { kind: 'attestation', predicateTypes: ['https://spdx.dev/Document'] } }) },
    ],
    [
      'another predicate type in the statement',
      'ATTESTATION_MISSING',
      { payload: (it) => ({ ...it, predicateType: 'https://slsa.dev/provenance/v1.1' }) },
    ],
    [
      'a predicate type in capitals',
      'ATTESTATION_MISSING',
      { payload: (it) => ({ ...it, predicateType: 'HTTPS://slsa.dev/provenance/v1' }) },
    ],
    [
      'a signature where an attestation is wanted',
      'ATTESTATION_MISSING',
      { payload: (it) => ({ ...it, predicateType: 'https://sigstore.dev/cosign/sign/v1' }) },
    ],
    [
      'no predicate types wanted at all',
      'ATTESTATION_MISSING',
      { require: (it) => ({ ...it, wanted: { kind: 'attestation', predicateTypes: [] } }) },
    ],
    [
      'another image in the attestation',
      'SUBJECT_MISMATCH',
      subjects({ name: 'x', digest: { sha256: 'b2'.repeat(32) } }),
    ],
    [
      'the attestation where a signature is wanted',
      'EVIDENCE_UNSUPPORTED',
      { require: (it) => ({ ...it, wanted: { kind: 'signature' } }) },
    ],
  ]),
];

const twice = (name: string): Bend => replace(`"${name}":`, `"${name}":null,"${name}":`);
const strangerCertificate = stranger.issueLeaf().der.toString('base64');

/** The bundle as a document. */
export const BUNDLE_ROWS: readonly Row[] = [
  ...[
    'mediaType',
    'verificationMaterial',
    'publicKey',
    'dsseEnvelope',
    'payload',
    'payloadType',
    'signatures',
    'sig',
  ].flatMap((name) => rowsOf(BASES.keyed, [[`${name} twice in the JSON`, 'EVIDENCE_MALFORMED', twice(name)]])),
  ...['tlogEntries', 'inclusionProof', 'canonicalizedBody', 'certificate', 'integratedTime', 'envelope'].flatMap(
    (name) => rowsOf(BASES.keyless, [[`${name} twice in the JSON`, 'EVIDENCE_MALFORMED', twice(name)]]),
  ),
  ...rowsOf(BASES.keyed, [
    ['the envelope twice, once escaped', 'EVIDENCE_MALFORMED', replace('{', '{"dsse\\u0045nvelope":{},')],
    ['a comment behind the JSON', 'EVIDENCE_MALFORMED', { bytes: (text) => `${text}//` }],
    ['a byte order mark', 'EVIDENCE_MALFORMED', { bytes: (text) => `\ufeff${text}` }],
    ['the JSON, cut', 'EVIDENCE_MALFORMED', { bytes: (text) => text.slice(0, -1) }],
    [
      'bytes that are not UTF-8',
      'EVIDENCE_MALFORMED',
      { bytes: (text) => Buffer.concat([Buffer.from(text), Buffer.from([0xff])]) },
    ],
    ['nothing', 'EVIDENCE_MALFORMED', { bytes: () => '' }],
    [
      'a version of the future',
      'EVIDENCE_UNSUPPORTED',
      {
        bundle: (it) => {
          it.mediaType = 'application/vnd.dev.sigstore.bundle.v0.4+json';
        },
      },
    ],
    [
      'a media type with a parameter',
      'EVIDENCE_UNSUPPORTED',
      {
        bundle: (it) => {
          it.mediaType += ';charset=utf-8';
        },
      },
    ],
    [
      'another media type',
      'EVIDENCE_UNSUPPORTED',
      {
        bundle: (it) => {
          it.mediaType = 'application/json';
        },
      },
    ],
    ['no media type', 'EVIDENCE_MALFORMED', { bundle: ({ mediaType: _, ...rest }) => rest }],
    [
      'the signature twice',
      'EVIDENCE_MALFORMED',
      {
        bundle: (it) => {
          it.dsseEnvelope?.signatures.push(...it.dsseEnvelope.signatures);
        },
      },
    ],
    [
      'a broken signature before the good one',
      'EVIDENCE_MALFORMED',
      {
        bundle: (it) => {
          it.dsseEnvelope?.signatures.unshift({ sig: 'AAAA' });
        },
      },
    ],
    [
      'a broken signature behind the good one',
      'EVIDENCE_MALFORMED',
      {
        bundle: (it) => {
          it.dsseEnvelope?.signatures.push({ sig: 'AAAA' });
        },
      },
    ],
    [
      'no signature',
      'EVIDENCE_MALFORMED',
      {
        bundle: (it) => {
          it.dsseEnvelope?.signatures.pop();
        },
      },
    ],
    ['an empty signature', 'EVIDENCE_MALFORMED', sig(() => '')],
    ['the signature in base64url', 'EVIDENCE_MALFORMED', sig(() => '-_-_')],
    ['the signature without padding', 'EVIDENCE_MALFORMED', sig(() => 'AAA')],
    ['the signature with stray bits', 'EVIDENCE_MALFORMED', sig(() => 'AB==')],
    ['the signature with a line break', 'EVIDENCE_MALFORMED', sig((text) => `${text}\n`)],
    ['the payload with white space', 'EVIDENCE_MALFORMED', payload((text) => ` ${text}`)],
    ['the payload with junk in it', 'EVIDENCE_MALFORMED', payload((text) => `${text.slice(0, 4)}!${text.slice(4)}`)],
    ['no payload', 'EVIDENCE_MALFORMED', payload(() => '')],
    [
      'key and certificate',
      'EVIDENCE_MALFORMED',
      {
        bundle: (it) => {
          it.verificationMaterial.certificate = { rawBytes: strangerCertificate };
        },
      },
    ],
    [
      'no key and no certificate',
      'EVIDENCE_MALFORMED',
      {
        bundle: (it) => {
          delete it.verificationMaterial.publicKey;
        },
      },
    ],
    [
      'no content',
      'EVIDENCE_MALFORMED',
      {
        bundle: (it) => {
          delete it.dsseEnvelope;
        },
      },
    ],
    [
      'both contents',
      'EVIDENCE_MALFORMED',
      {
        bundle: (it) => {
          it.messageSignature = { messageDigest: { algorithm: 'SHA2_256', digest: 'AAAA' }, signature: 'AAAA' };
        },
      },
    ],
    ['a byte too many', 'EVIDENCE_TOO_LARGE', { bytes: (text) => text.padEnd(MAX_BUNDLE_BYTES + 1, ' ') }],
  ]),
  ...rowsOf(BASES.keyless, [
    [
      '33 log entries',
      'EVIDENCE_TOO_LARGE',
      { entries: ([entry]) => (entry === undefined ? [] : Array(MAX_TLOG_ENTRIES + 1).fill(entry)) },
    ],
    [
      'a log entry that is null',
      'EVIDENCE_MALFORMED',
      { bytes: (text) => text.replace('"tlogEntries":[', '"tlogEntries":[null,') },
    ],
    [
      'a log entry that is empty',
      'EVIDENCE_MALFORMED',
      { bytes: (text) => text.replace('"tlogEntries":[', '"tlogEntries":[{},') },
    ],
    [
      'two certificates',
      'EVIDENCE_MALFORMED',
      {
        bundle: (it) => {
          it.verificationMaterial.x509CertificateChain = { certificates: [{ rawBytes: strangerCertificate }] };
        },
      },
    ],
  ]),
  ...rowsOf(BASES.stamped, [
    ['33 timestamps', 'EVIDENCE_TOO_LARGE', { stamps: ([stamp = '']) => Array(MAX_TIMESTAMPS + 1).fill(stamp) }],
  ]),
];
