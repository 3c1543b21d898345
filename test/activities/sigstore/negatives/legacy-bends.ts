import type { LegacyAnnotations } from '../../../support/virtual-sigstore/evidence.ts';
import { recode } from './bends.ts';
import { type Base, type Bend, flip64, otherKey, type Row, rowsOf, sigstore, stranger } from './case.ts';

type Name = keyof LegacyAnnotations;
export const annotation = (name: Name, change: (text: string) => string): Bend => ({
  annotations: (usual) => ({ ...usual, [name]: change(usual[name] ?? '') }),
});
export const missing = (name: Name): Bend => ({ annotations: ({ [name]: _, ...rest }) => rest });
export const otherLeaf = sigstore.issueLeaf();

/** The Rekor bundle of an annotation, as cosign 2 writes it. */
interface RekorBundle {
  SignedEntryTimestamp: string;
  Payload: { body: string; integratedTime: number; logIndex: number; logID: string };
}
export const rekor = (change: (bundle: RekorBundle) => unknown): Bend =>
  annotation('bundle', (text) => {
    const bundle = JSON.parse(text) as RekorBundle; // made by us
    change(bundle);
    return JSON.stringify(bundle);
  });

/** The annotation with the log entry, which is a promise and no proof. */
export const rekorRows = (base: Base): readonly Row[] =>
  rowsOf(base, [
    [
      'a bit of the promise',
      'LOG_PROOF_INVALID',
      rekor((it) => {
        it.SignedEntryTimestamp = flip64(it.SignedEntryTimestamp);
      }),
    ],
    [
      'an empty promise',
      'EVIDENCE_MALFORMED',
      rekor((it) => {
        it.SignedEntryTimestamp = '';
      }),
    ],
    [
      'white space in the logged body',
      'LOG_PROOF_INVALID',
      rekor(({ Payload: it }) => {
        it.body = recode(it.body, (text) => `${text} `);
      }),
    ],
    [
      'the time of the entry',
      'LOG_PROOF_INVALID',
      rekor(({ Payload: it }) => {
        it.integratedTime -= 1;
      }),
    ],
    [
      'a time that is text',
      'EVIDENCE_MALFORMED',
      annotation('bundle', (text) => text.replace(/"integratedTime":(\d+)/, '"integratedTime":"$1"')),
    ],
    [
      'a time with a fraction',
      'EVIDENCE_MALFORMED',
      rekor(({ Payload: it }) => {
        it.integratedTime += 0.5;
      }),
    ],
    [
      'the index of the entry',
      'LOG_PROOF_INVALID',
      rekor(({ Payload: it }) => {
        it.logIndex += 1;
      }),
    ],
    [
      'a negative index',
      'EVIDENCE_MALFORMED',
      rekor(({ Payload: it }) => {
        it.logIndex = -1;
      }),
    ],
    [
      'the log id',
      'LOG_UNKNOWN',
      rekor(({ Payload: it }) => {
        it.logID = '00'.repeat(32);
      }),
    ],
    [
      "the other log's id",
      'LOG_PROOF_INVALID',
      rekor(({ Payload: it }) => {
        it.logID = sigstore.rekorV2.id.toString('hex');
      }),
    ],
    [
      'a log id that is not hex',
      'EVIDENCE_MALFORMED',
      rekor(({ Payload: it }) => {
        it.logID = 'x';
      }),
    ],
    [
      'a log id with more behind it',
      'EVIDENCE_MALFORMED',
      rekor(({ Payload: it }) => {
        it.logID += 'x';
      }),
    ],
    [
      'a log id with more before it',
      'EVIDENCE_MALFORMED',
      rekor(({ Payload: it }) => {
        it.logID = `00${it.logID}`;
      }),
    ],
    [
      'an entry with a field more',
      'EVIDENCE_MALFORMED',
      annotation('bundle', (text) => text.replace('{', '{"more":1,')),
    ],
    ['an entry that is not JSON', 'EVIDENCE_MALFORMED', annotation('bundle', (text) => text.slice(0, -1))],
    ['an entry that is a list', 'EVIDENCE_MALFORMED', annotation('bundle', (text) => `[${text}]`)],
    [
      'the payload of the entry twice',
      'EVIDENCE_MALFORMED',
      annotation('bundle', (text) => text.replace('"Payload":', '"Payload":{},"Payload":')),
    ],
    ['an entry without a payload', 'EVIDENCE_MALFORMED', annotation('bundle', () => '{"SignedEntryTimestamp":"AAAA"}')],
    [
      'a body in base64url',
      'EVIDENCE_MALFORMED',
      rekor(({ Payload: it }) => {
        it.body = '-_-_';
      }),
    ],
    ['no entry', 'LOG_ENTRY_MISSING', missing('bundle')],
    ['an empty entry', 'LOG_ENTRY_MISSING', annotation('bundle', () => '')],
    [
      'an entry about another signature',
      'LOG_ENTRY_MISMATCH',
      { logged: (it) => ({ ...it, signature: otherKey.sign(Buffer.from('other')) }) },
    ],
    [
      'an entry about another payload',
      'LOG_ENTRY_MISMATCH',
      {
        logged: (it) => ({
          ...it,
          content:
            it.content.kind === 'blob'
              ? { kind: 'blob', bytes: Buffer.from('other') }
              : { kind: 'envelope', envelope: { ...it.content.envelope, payload: Buffer.from('other') } },
        }),
      },
    ],
    [
      'an entry about another signer',
      'LOG_ENTRY_MISMATCH',
      { logged: (it) => ({ ...it, signer: { kind: 'certificate', certificate: otherLeaf } }) },
    ],
    [
      'an entry of a log that nobody trusts',
      'LOG_UNKNOWN',
      {
        entries: (usual) =>
          usual.map((one) =>
            stranger.rekorV1.entry(stranger.rekorV1.append(Buffer.from(one.canonicalizedBody, 'base64'), sigstore.now)),
          ),
      },
    ],
  ]);
