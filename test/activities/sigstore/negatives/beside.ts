import { logInV1, stampOf } from '../../../support/virtual-sigstore/evidence.ts';
import type { Signed } from '../../../support/virtual-sigstore/log-body.ts';
import type { TlogEntry } from '../../../support/virtual-sigstore/tlog-entry.ts';
import type { LogTrust } from '../../../support/virtual-sigstore/trusted-root.ts';
import { BASES, wants } from './bases.ts';
import { type Base, type Bend, flip64, otherKey, type Row, rowsOf, SIGNED_AT, sigstore } from './case.ts';
import { plus } from './log-bends.ts';

const at = (seconds: number) => new Date(SIGNED_AT.getTime() + seconds * 1000);

/** A second entry of the same log for the same signature, of another kind. */
function secondEntry(change: (entry: TlogEntry) => void = () => {}): Bend {
  return {
    entries: (usual, signed) => {
      const second = structuredClone(logInV1(sigstore.rekorV1, 'hashedrekord 0.0.1', signed, SIGNED_AT));
      change(second);
      return [...usual, second];
    },
  };
}

/** A second timestamp of the same authority, a second later. */
function secondStamp(change: (stamp: string) => string = (stamp) => stamp): Bend {
  return { stamps: (usual, signed: Signed) => [...usual, change(stampOf(sigstore.tsa, signed, at(1)))] };
}

const expectProof = ({ inclusionProof }: TlogEntry) => inclusionProof ?? fail();

function fail(): never {
  throw new Error('expected an inclusion proof');
}

/** Both logs without a timestamp: the entry of the second one has no time of its own. */
function secondLogBelievedFrom(from: Date): Bend {
  return {
    stamps: () => [],
    require: wants({ entries: 2, timestamps: 0 }),
    trust: (plan) => {
      for (const log of plan.logs) if (log.id.equals(sigstore.rekorV2.id)) log.window = { from };
    },
  };
}

/** What makes a second piece wrong, where the first one is good. Each row has a twin that is valid. */
export const BESIDE_ROWS: readonly Row[] = [
  ...rowsOf(BASES.keyless, [
    [
      'a second entry whose proof is for another tree size than its checkpoint',
      'LOG_PROOF_INVALID',
      secondEntry((it) => {
        expectProof(it).treeSize = plus(expectProof(it).treeSize, 1);
      }),
    ],
    [
      'a second entry with a changed promise',
      'LOG_PROOF_INVALID',
      secondEntry((it) => {
        if (it.inclusionPromise === undefined) fail();
        it.inclusionPromise.signedEntryTimestamp = flip64(it.inclusionPromise.signedEntryTimestamp);
      }),
    ],
  ]),
  ...rowsOf(BASES.stamped, [
    ['a second timestamp with a changed bit', 'TIMESTAMP_INVALID', secondStamp((stamp) => flip64(stamp))],
  ]),
  ...rowsOf(BASES.twoLogs, [
    [
      'the key of the log without times, from an hour after the time that the other log states',
      'LOG_KEY_EXPIRED',
      secondLogBelievedFrom(at(3600)),
    ],
  ]),
];

export const BESIDE_POSITIVES: readonly (readonly [base: Base, what: string, bend: Bend])[] = [
  [BASES.keyless, 'a second entry', secondEntry()],
  [BASES.stamped, 'a second timestamp', secondStamp()],
  [
    BASES.twoLogs,
    'the key of the log without times, from the time that the other log states',
    secondLogBelievedFrom(SIGNED_AT),
  ],
  ...[BASES.keyless, BASES.oldBundle, BASES.attachedIntoto1, BASES.tiled].flatMap((base) =>
    [
      listedTwice((log) => [{ ...log, window: { from: log.window.from, until: at(-1) } }, log]),
      listedTwice((log) => [log, { ...log, window: { from: at(3600) } }]),
    ].map(
      (bend, i) =>
        [
          base,
          `each log listed twice, the signature in the ${i === 0 ? 'second' : 'first'} of its windows`,
          bend,
        ] as const,
    ),
  ),
  ...[BASES.oldBundle, BASES.attachedIntoto1].map(
    (base) =>
      [
        base,
        'the id of the log also under another key',
        listedTwice((log) => [{ ...log, key: otherKey }, log]),
      ] as const,
  ),
];

/** Puts several in the place of each log of the trust root. */
function listedTwice(change: (log: LogTrust) => readonly LogTrust[]): Bend {
  return {
    trust: (plan) => {
      plan.logs = plan.logs.flatMap(change);
    },
  };
}
