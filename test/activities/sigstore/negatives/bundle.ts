import { MAX_BUNDLE_BYTES, MAX_TIMESTAMPS, MAX_TLOG_ENTRIES } from '../../../../activities/limits.ts';
import { BASES } from './bases.ts';
import { payload, sig } from './bends.ts';
import { type Bend, type Row, rowsOf, stranger } from './case.ts';

const replace = (from: string | RegExp, to: string): Bend => ({ bytes: (text) => text.replace(from, to) });
const twice = (name: string): Bend => replace(`"${name}":`, `"${name}":null,"${name}":`);
/** Bytes of a log entry and a certificate, which the library reads past junk in. */
const MATERIAL_BYTES = ['rawBytes', 'keyId', 'signedEntryTimestamp', 'rootHash', 'hashes', 'canonicalizedBody'];
const junkIn = (name: string): readonly [string, 'EVIDENCE_MALFORMED', Bend] => [
  `${name} with junk in its base64`,
  'EVIDENCE_MALFORMED',
  replace(new RegExp(`("${name}":\\[?"....)`), '$1!'),
];
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
    ['another signature in base64url', 'SIGNATURE_INVALID', sig(() => '-_-_')],
    ['the signature in both alphabets', 'EVIDENCE_MALFORMED', sig(() => '-_+_')],
    ['another signature without padding', 'SIGNATURE_INVALID', sig(() => 'AAA')],
    ['the signature with half of its padding', 'EVIDENCE_MALFORMED', sig(() => 'AA=')],
    ['the signature with more behind its padding', 'EVIDENCE_MALFORMED', sig(() => 'AA==AAAA')],
    ['another signature with stray bits', 'SIGNATURE_INVALID', sig(() => 'AB==')],
    ['the payload with white space of Unicode', 'EVIDENCE_MALFORMED', payload((text) => `\u00a0${text}`)],
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
      'a signed file in the place of the envelope',
      'EVIDENCE_UNSUPPORTED',
      {
        bundle: (it) => {
          const { dsseEnvelope: _, ...rest } = it;
          return {
            ...rest,
            messageSignature: { messageDigest: { algorithm: 'SHA2_256', digest: 'AAAA' }, signature: 'AAAA' },
          };
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
    ...MATERIAL_BYTES.map((name) => junkIn(name)),
    [
      'a certificate that is huge',
      'EVIDENCE_TOO_LARGE',
      { bytes: (text) => text.replace(/("rawBytes":")[^"]+/, `$1${'A'.repeat(90_000)}`) },
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
    junkIn('signedTimestamp'),
    ['33 timestamps', 'EVIDENCE_TOO_LARGE', { stamps: ([stamp = '']) => Array(MAX_TIMESTAMPS + 1).fill(stamp) }],
  ]),
];
