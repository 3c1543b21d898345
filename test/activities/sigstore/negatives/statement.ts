import { MAX_SUBJECTS } from '../../../../activities/limits.ts';
import { BASES } from './bases.ts';
import { type Bend, type Row, rowsOf } from './case.ts';

const HEX = 'a1'.repeat(32);
const subjects = (...list: readonly unknown[]): Bend => ({ payload: (usual) => ({ ...usual, subject: list }) });
const signedText = (text: string | Uint8Array): Bend => ({ payload: () => Buffer.from(text) });

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
