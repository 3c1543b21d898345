import { logInV1 } from '../../../support/virtual-sigstore/evidence.ts';
import { createKeyPair } from '../../../support/virtual-sigstore/key-pair.ts';
import { BASES, wants, witnessed } from './bases.ts';
import { recode } from './bends.ts';
import { flip64, type Row, rowsOf, SIGNED_AT, sigstore, stranger } from './case.ts';
import { checkpoint, entry, never, plus, proof, set, trusted } from './log-bends.ts';
import { PROOF_BENDS } from './log-proof.ts';

const at = (seconds: number) => new Date(SIGNED_AT.getTime() + seconds * 1000);
const { rekorV1, rekorV2 } = sigstore;
const forged = createKeyPair();

/** Logs with the API of Rekor 1: entries, promises, proofs, checkpoints. */
export const LOG_V1_ROWS: readonly Row[] = [
  ...rowsOf(BASES.keyless, [
    ...PROOF_BENDS.map(([what, bend]) => [what, 'LOG_PROOF_INVALID', bend] as const),
    ['no entry', 'LOG_ENTRY_MISSING', { entries: () => [] }],
    [
      'an entry of a log that nobody trusts',
      'LOG_UNKNOWN',
      {
        entries: (usual) =>
          usual.map((one) =>
            stranger.rekorV1.entry(stranger.rekorV1.append(Buffer.from(one.canonicalizedBody, 'base64'), SIGNED_AT)),
          ),
      },
    ],
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
        it.logId.keyId = rekorV2.id.toString('base64');
      }),
    ],
    [
      'no log in the trust root',
      'LOG_UNKNOWN',
      {
        trust: (plan) => {
          plan.logs = [];
        },
      },
    ],
    [
      'the log under another key in the trust root',
      'LOG_PROOF_INVALID',
      trusted((log) => {
        log.key = forged;
      }),
    ],
    [
      'a log key from after the entry',
      'LOG_KEY_EXPIRED',
      trusted((log) => {
        log.window = { from: at(1) };
      }),
    ],
    [
      'a log key until before the entry',
      'LOG_KEY_EXPIRED',
      trusted((log) => {
        log.window = { from: log.window.from, until: at(-1) };
      }),
    ],
    ['a bit of the promise', 'LOG_PROOF_INVALID', set((text) => flip64(text))],
    ['an empty promise', 'LOG_PROOF_INVALID', set(() => '')],
    [
      'the promise of another entry',
      'LOG_PROOF_INVALID',
      set(() => rekorV1.promise(rekorV1.promised(rekorV1.records[0] ?? never()))),
    ],
    [
      'a promise by another key',
      'LOG_PROOF_INVALID',
      set((_, it) =>
        rekorV1.variant({ key: forged }).promise({
          body: Buffer.from(it.canonicalizedBody, 'base64'),
          integratedTime: Number(it.integratedTime),
          logIndex: Number(it.logIndex),
          logId: rekorV1.id.toString('hex'),
        }),
      ),
    ],
    [
      "the promise under another log's id",
      'LOG_PROOF_INVALID',
      set((_, it) =>
        rekorV1.promise({
          body: Buffer.from(it.canonicalizedBody, 'base64'),
          integratedTime: Number(it.integratedTime),
          logIndex: Number(it.logIndex),
          logId: '00'.repeat(32),
        }),
      ),
    ],
    [
      'the time of the entry, a second later',
      'LOG_PROOF_INVALID',
      entry((it) => {
        it.integratedTime = plus(it.integratedTime, 1);
      }),
    ],
    [
      'no time of the entry',
      'LOG_PROOF_INVALID',
      entry((it) => {
        delete it.integratedTime;
      }),
    ],
    [
      'a time with a zero before it',
      'EVIDENCE_MALFORMED',
      entry((it) => {
        it.integratedTime = `0${it.integratedTime}`;
      }),
    ],
    [
      'a negative time of the entry',
      'LOG_PROOF_INVALID',
      entry((it) => {
        it.integratedTime = '-1';
      }),
    ],
    [
      'the index of the entry',
      'LOG_PROOF_INVALID',
      entry((it) => {
        it.logIndex = plus(it.logIndex, 1);
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
      'the body, cut',
      'LOG_PROOF_INVALID',
      entry((it) => {
        it.canonicalizedBody = recode(it.canonicalizedBody, (text) => text.slice(0, -1));
      }),
    ],
    [
      'no body',
      'LOG_PROOF_INVALID',
      entry((it) => {
        it.canonicalizedBody = '';
      }),
    ],
    [
      'a checkpoint by another key',
      'LOG_PROOF_INVALID',
      checkpoint(() => rekorV1.variant({ key: forged }).checkpoint()),
    ],
    [
      'a checkpoint by another key under the id of ours',
      'LOG_PROOF_INVALID',
      checkpoint((text) =>
        text.replace(
          /(— \S+ )(\S+)\n$/,
          (_, name: string, signature: string) =>
            `${name}${Buffer.concat([rekorV1.id.subarray(0, 4), forged.sign(Buffer.from(`${text.split('\n\n')[0]}\n`))]).toString('base64')}${signature.slice(0, 0)}\n`,
        ),
      ),
    ],
    ['the checkpoint of a smaller tree', 'LOG_PROOF_INVALID', checkpoint(() => rekorV1.checkpoint(3))],
    ['the checkpoint of the other log', 'LOG_PROOF_INVALID', checkpoint(() => rekorV2.checkpoint(SIGNED_AT))],
    [
      'the proof in a forked tree',
      'LOG_PROOF_INVALID',
      proof((it) => {
        const fork = rekorV1.variant({ records: rekorV1.records.toReversed() });
        it.checkpoint.envelope = fork.checkpoint(Number(it.treeSize));
      }),
    ],
    [
      'no promise and no time that counts',
      'TIMESTAMP_MISSING',
      entry((it) => {
        delete it.inclusionPromise;
      }),
    ],
    [
      'no proof',
      'EVIDENCE_MALFORMED',
      entry((it) => {
        delete it.inclusionProof;
      }),
    ],
    [
      'a proof with an empty checkpoint',
      'LOG_PROOF_INVALID',
      proof((it) => {
        it.checkpoint.envelope = '';
      }),
    ],
    [
      'another kind',
      'LOG_ENTRY_MISMATCH',
      entry((it) => {
        it.kindVersion.kind = 'hashedrekord';
      }),
    ],
    [
      'another version of the kind',
      'LOG_ENTRY_MISMATCH',
      entry((it) => {
        it.kindVersion.version = '0.0.2';
      }),
    ],
    [
      'a kind of nobody',
      'LOG_ENTRY_MISMATCH',
      entry((it) => {
        it.kindVersion.kind = 'x';
      }),
    ],
    ['one entry where the policy wants two logs', 'LOG_ENTRY_MISSING', { require: wants({ entries: 2 }) }],
    [
      'the same entry twice where the policy wants two logs',
      'EVIDENCE_MALFORMED',
      { require: wants({ entries: 2 }), entries: (usual) => [...usual, ...usual] },
    ],
    [
      'the same body logged twice where the policy wants two logs',
      'EVIDENCE_MALFORMED',
      {
        require: wants({ entries: 2 }),
        entries: (usual) => [
          ...usual,
          ...usual.map((one) => rekorV1.entry(rekorV1.append(Buffer.from(one.canonicalizedBody, 'base64'), SIGNED_AT))),
        ],
      },
    ],
    [
      'two entries of one log where the policy wants two logs',
      'LOG_ENTRY_MISSING',
      {
        require: wants({ entries: 2 }),
        entries: (usual, signed) => [...usual, logInV1(rekorV1, 'hashedrekord 0.0.1', signed, SIGNED_AT)],
      },
    ],
    ['cosignatures wanted of a log that has none', 'LOG_UNWITNESSED', { require: witnessed(1) }],
  ]),
  ...rowsOf(BASES.oldBundle, [
    ['a bit of the promise, which is alone', 'LOG_PROOF_INVALID', set((text) => flip64(text))],
    [
      'the time, which only the promise has',
      'LOG_PROOF_INVALID',
      entry((it) => {
        it.integratedTime = plus(it.integratedTime, -1);
      }),
    ],
    [
      'neither promise nor proof',
      'EVIDENCE_MALFORMED',
      entry((it) => {
        delete it.inclusionPromise;
      }),
    ],
  ]),
  ...rowsOf(BASES.keyedLogged, [
    ['no entry', 'LOG_ENTRY_MISSING', { entries: () => [] }],
    [
      'a log key from after the entry',
      'LOG_KEY_EXPIRED',
      trusted((log) => {
        log.window = { from: at(1) };
      }),
    ],
    [
      'an entry without a promise, and a log key that has ended',
      'LOG_KEY_EXPIRED',
      {
        ...entry((it) => {
          delete it.inclusionPromise;
          delete it.integratedTime;
        }),
        ...trusted((log) => {
          log.window = { from: log.window.from, until: at(-1) };
        }),
      },
    ],
  ]),
];
