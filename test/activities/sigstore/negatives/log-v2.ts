import { createKeyPair } from '../../../support/virtual-sigstore/key-pair.ts';
import { BASES } from './bases.ts';
import { recode } from './bends.ts';
import { flip64, type Row, rowsOf, SIGNED_AT, sigstore, stranger } from './case.ts';
import { checkpoint, entry, never, signatureBit, trusted } from './log-bends.ts';
import { PROOF_BENDS } from './log-proof.ts';

const at = (seconds: number) => new Date(SIGNED_AT.getTime() + seconds * 1000);
const { rekorV1, rekorV2 } = sigstore;

/** Logs of tiles: no promise, no time. */
export const LOG_V2_ROWS: readonly Row[] = [
  ...rowsOf(BASES.tiled, [
    ...PROOF_BENDS.map(([what, bend]) => [what, 'LOG_PROOF_INVALID', bend] as const),
    ['no entry', 'LOG_ENTRY_MISSING', { entries: () => [] }],
    [
      'a bit of the log id',
      'LOG_UNKNOWN',
      entry((it) => {
        it.logId.keyId = flip64(it.logId.keyId);
      }),
    ],
    [
      'the id of our other log',
      'LOG_PROOF_INVALID',
      entry((it) => {
        it.logId.keyId = rekorV1.id.toString('base64');
      }),
    ],
    [
      'white space behind the body',
      'LOG_PROOF_INVALID',
      entry((it) => {
        it.canonicalizedBody = recode(it.canonicalizedBody, (text) => `${text} `);
      }),
    ],
    [
      'a checkpoint by another key',
      'LOG_PROOF_INVALID',
      checkpoint(() => rekorV2.variant({ key: createKeyPair('Ed25519') }).checkpoint(SIGNED_AT)),
    ],
    ['a checkpoint of a smaller tree', 'LOG_PROOF_INVALID', checkpoint(() => rekorV2.checkpoint(SIGNED_AT, 3))],
    [
      'a promise that nobody made',
      'LOG_PROOF_INVALID',
      entry((it) => {
        it.integratedTime = String(SIGNED_AT.getTime() / 1000);
        it.inclusionPromise = { signedEntryTimestamp: 'AAAA' };
      }),
    ],
    [
      'a log key until before the timestamp',
      'LOG_KEY_EXPIRED',
      trusted((log) => {
        log.window = { from: log.window.from, until: at(-1) };
      }),
    ],
    [
      'a log key from after the timestamp',
      'LOG_KEY_EXPIRED',
      trusted((log) => {
        log.window = { from: at(1) };
      }),
    ],
    [
      'a time that nobody signed, and no timestamp',
      'TIMESTAMP_MISSING',
      {
        ...entry((it) => {
          it.integratedTime = String(SIGNED_AT.getTime() / 1000);
        }),
        stamps: () => [],
      },
    ],
  ]),
  ...rowsOf(BASES.twoLogs, [
    ['the first of two entries, missing', 'LOG_ENTRY_MISSING', { entries: (usual) => usual.slice(1) }],
    ['the second of two entries, missing', 'LOG_ENTRY_MISSING', { entries: (usual) => usual.slice(0, 1) }],
    [
      "a bit of the second entry's root",
      'LOG_PROOF_INVALID',
      {
        entries: ([one = never(), two = never()]) => [
          one,
          {
            ...two,
            inclusionProof: {
              ...(two.inclusionProof ?? never()),
              rootHash: flip64(two.inclusionProof?.rootHash ?? ''),
            },
          },
        ],
      },
    ],
    ["the first entry in the second's place", 'EVIDENCE_MALFORMED', { entries: ([one = never()]) => [one, one] }],
  ]),
  ...rowsOf(BASES.witnessed, [
    ['no cosignature', 'LOG_UNWITNESSED', checkpoint((text) => text.split('\n').slice(0, 5).join('\n').concat('\n'))],
    [
      'a cosignature less than the policy wants',
      'LOG_UNWITNESSED',
      checkpoint((text) => text.split('\n').slice(0, -2).join('\n').concat('\n')),
    ],
    [
      'the same cosignature twice',
      'LOG_UNWITNESSED',
      checkpoint((text) =>
        text
          .split('\n')
          .toSpliced(-2, 1, text.split('\n').at(-3) ?? '')
          .join('\n'),
      ),
    ],
    ['a bit of a cosignature', 'LOG_UNWITNESSED', checkpoint(signatureBit)],
    [
      'the time of a cosignature',
      'LOG_UNWITNESSED',
      checkpoint((text) => text.replace(/ (\S+)\n$/, (_, line: string) => ` ${flip64(line, 11)}\n`)),
    ],
    [
      "a cosignature under another witness's name",
      'LOG_UNWITNESSED',
      checkpoint((text) => text.replace('witness-2', 'witness-1')),
    ],
    [
      "a cosignature of a stranger's witness of the same name",
      'LOG_UNWITNESSED',
      {
        require: (it) => ({
          ...it,
          log: {
            entries: 1,
            cosignatures: 2,
            witnesses: stranger.witnesses.map(({ name, key: { publicKey } }) => ({ name, publicKey })),
          },
        }),
      },
    ],
    [
      'cosignatures of another checkpoint',
      'LOG_UNWITNESSED',
      checkpoint((text) =>
        [...text.split('\n').slice(0, 5), ...rekorV2.checkpoint(SIGNED_AT, 3).split('\n').slice(5)].join('\n'),
      ),
    ],
    [
      'no witness named by the policy',
      'LOG_UNWITNESSED',
      { require: (it) => ({ ...it, log: { entries: 1, cosignatures: 1, witnesses: [] } }) },
    ],
  ]),
];
