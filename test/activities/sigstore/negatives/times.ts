import { stampOf } from '../../../support/virtual-sigstore/evidence.ts';
import type { TlogEntry } from '../../../support/virtual-sigstore/tlog-entry.ts';
import { BASES, wants } from './bases.ts';
import { type Bend, JUDGED_AT, type Row, rowsOf, SIGNED_AT, sigstore, stranger } from './case.ts';

const at = (seconds: number) => new Date(SIGNED_AT.getTime() + seconds * 1000);
const secondStamp = (seconds: number): Bend => ({
  stamps: (usual, signed) => [...usual, stampOf(sigstore.tsa, signed, at(seconds))],
});
const strangersEntry = (one: TlogEntry) =>
  stranger.rekorV1.entry(stranger.rekorV1.append(Buffer.from(one.canonicalizedBody, 'base64'), SIGNED_AT));

/** Which time of signing counts where several are told, or none. */
export const TIME_ROWS: readonly Row[] = [
  ...rowsOf(BASES.stamped, [
    ['a second timestamp from after the certificate', 'CERTIFICATE_EXPIRED', secondStamp(301)],
    ['a second timestamp from before the certificate', 'CERTIFICATE_EXPIRED', secondStamp(-301)],
  ]),
  ...rowsOf(BASES.keyless, [
    ['a timestamp from after the certificate beside a good entry', 'CERTIFICATE_EXPIRED', secondStamp(301)],
    [
      'a good timestamp beside an entry from after the certificate',
      'CERTIFICATE_EXPIRED',
      { signedAt: at(360), stamps: (_, signed) => [stampOf(sigstore.tsa, signed, SIGNED_AT)] },
    ],
    [
      "a stranger's entry in the place of the second log",
      'LOG_UNKNOWN',
      { entries: (usual) => [...usual, ...usual.map(strangersEntry)], require: wants({ entries: 2 }) },
    ],
  ]),
  ...rowsOf(BASES.bare, [
    ['judged a day later', 'CERTIFICATE_EXPIRED', { judgedAt: JUDGED_AT }],
    ['judged before the certificate began', 'CERTIFICATE_EXPIRED', { judgedAt: at(-301) }],
    ['a log that the policy wants', 'LOG_ENTRY_MISSING', { require: wants({ entries: 1 }) }],
    ['a timestamp that the policy wants', 'TIMESTAMP_MISSING', { require: wants({ timestamps: 1 }) }],
    ['an observer that the policy wants', 'TIMESTAMP_MISSING', { require: wants({ observers: 1 }) }],
    ['a certificate of a stranger', 'CERTIFICATE_UNTRUSTED', { leaf: { by: stranger.intermediate } }],
    ['a certificate for servers', 'CERTIFICATE_UNSUITABLE', { leaf: { purposes: ['1.3.6.1.5.5.7.3.1'] } }],
  ]),
];
