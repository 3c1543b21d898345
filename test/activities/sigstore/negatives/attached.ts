import { MAX_BUNDLE_BYTES } from '../../../../activities/limits.ts';
import { BASES } from './bases.ts';
import { recode } from './bends.ts';
import { flip64, type Row, rowsOf } from './case.ts';
import { annotation, missing, otherLeaf, rekor, rekorRows } from './legacy-bends.ts';

/** cosign's `.att` layers: envelopes. */
export const ATTACHED_ROWS: readonly Row[] = [
  ...rekorRows(BASES.attached),
  ...rowsOf(BASES.attached, [
    [
      'a bit of the signature',
      'SIGNATURE_INVALID',
      { bytes: (text) => text.replace(/("sig":")([^"]+)/, (_, name: string, sig: string) => name + flip64(sig)) },
    ],
    [
      'another payload',
      'SIGNATURE_INVALID',
      {
        bytes: (text) =>
          text.replace(
            /("payload":")([^"]+)/,
            (_, name: string, payload: string) => name + recode(payload, (json) => `${json} `),
          ),
      },
    ],
    ['an envelope that is huge', 'EVIDENCE_TOO_LARGE', { bytes: (text) => text + ' '.repeat(MAX_BUNDLE_BYTES) }],
    ['another payload type', 'SIGNATURE_INVALID', { bytes: (text) => text.replace('in-toto+json', 'in-toto+xml') }],
    [
      'the signature twice',
      'EVIDENCE_MALFORMED',
      { bytes: (text) => text.replace(/"signatures":\[(.*)\]/, '"signatures":[$1,$1]') },
    ],
    ['no signature', 'EVIDENCE_MALFORMED', { bytes: (text) => text.replace(/"signatures":\[.*\]/, '"signatures":[]') }],
    [
      'a broken signature before the good one',
      'EVIDENCE_MALFORMED',
      { bytes: (text) => text.replace('"signatures":[', '"signatures":[{"sig":"AAAA"},') },
    ],
    [
      'the payload twice',
      'EVIDENCE_MALFORMED',
      { bytes: (text) => text.replace('"payload":', '"payload":"","payload":') },
    ],
    [
      'another payload in base64url',
      'SIGNATURE_INVALID',
      { bytes: (text) => text.replace(/("payload":")[^"]+/, '$1-_-_') },
    ],
    ['an envelope that is cut', 'EVIDENCE_MALFORMED', { bytes: (text) => text.slice(0, -1) }],
    ['an envelope that is a list', 'EVIDENCE_MALFORMED', { bytes: (text) => `[${text}]` }],
    [
      'another image',
      'SUBJECT_MISMATCH',
      { payload: (it) => ({ ...it, subject: [{ digest: { sha256: 'b2'.repeat(32) } }] }) },
    ],
    [
      'another predicate type',
      'ATTESTATION_MISSING',
      { payload: (it) => ({ ...it, predicateType: 'https://spdx.dev/Document' }) },
    ],
    [
      'a predicate type that only the policy wants',
      'ATTESTATION_MISSING',
      {
        require: (it) => ({
          ...it,
          wanted: { kind: 'attestation', predicateTypes: ['https://slsa.dev/provenance/v0.2'] },
        }),
      },
    ],
    [
      'where a signature is wanted',
      'EVIDENCE_UNSUPPORTED',
      { require: (it) => ({ ...it, wanted: { kind: 'signature' } }) },
    ],
    ['no certificate', 'WRONG_IDENTITY', missing('certificate')],
    ['a certificate of another key', 'SIGNATURE_INVALID', annotation('certificate', () => otherLeaf.pem)],
  ]),
  ...rowsOf(BASES.attachedIntoto1, [
    ['no entry', 'LOG_ENTRY_MISSING', missing('bundle')],
    [
      'a bit of the promise',
      'LOG_PROOF_INVALID',
      rekor((it) => {
        it.SignedEntryTimestamp = flip64(it.SignedEntryTimestamp);
      }),
    ],
  ]),
  ...rowsOf(BASES.attachedIntoto2, [
    ['no entry', 'LOG_ENTRY_MISSING', missing('bundle')],
    [
      'a bit of the promise',
      'LOG_PROOF_INVALID',
      rekor((it) => {
        it.SignedEntryTimestamp = flip64(it.SignedEntryTimestamp);
      }),
    ],
  ]),
];
