import { type CtLog, createCtLog, type Sct } from '../../../support/virtual-sigstore/ct-log.ts';
import { createKeyPair } from '../../../support/virtual-sigstore/key-pair.ts';
import type { LogTrust } from '../../../support/virtual-sigstore/trusted-root.ts';
import { BASES, wants } from './bases.ts';
import { type Bend, flip, type Row, rowsOf, SIGNED_AT, sigstore } from './case.ts';

const at = (seconds: number) => new Date(SIGNED_AT.getTime() + seconds * 1000);
const otherLog = createCtLog();
/** Signs as the usual log, with another key: a forger. */
const forger: CtLog = (() => {
  const made = createCtLog(createKeyPair());
  return {
    ...made,
    sign: (...args) => ({
      bytes: Buffer.concat([Buffer.from([0]), sigstore.ctLog.id, made.sign(...args).bytes.subarray(33)]),
    }),
  };
})();

const bent = (bend: (scts: readonly Sct[]) => readonly Sct[]): Bend => ({ leaf: { scts: { bend } } });
const each = (change: (bytes: Buffer) => Buffer): Bend =>
  bent((scts) => scts.map(({ bytes }) => ({ bytes: change(bytes) })));
const logs = (...list: readonly CtLog[]): Bend => ({ leaf: { scts: { logs: list } } });
const trusted = (change: (log: LogTrust) => void): Bend => ({ trust: (plan) => plan.ctLogs.forEach(change) });
/** Where the parts of an SCT are (RFC 6962 3.3): version, log id, timestamp, extensions' length, hash, algorithm, signature. */
const TIMESTAMP = 40;
const HASH = 43;

const borrowed: Sct[] = [];
sigstore.issueLeaf({
  scts: {
    bend: (scts) => {
      borrowed.push(...scts);
      return scts;
    },
  },
});

/** Whether a CT log saw the certificate. */
export const SCT_ROWS: readonly Row[] = rowsOf(BASES.keyless, [
  ['no certificate timestamp', 'CERTIFICATE_UNLOGGED', logs()],
  ['one of a log that nobody trusts', 'CERTIFICATE_UNLOGGED', logs(otherLog)],
  ['one under the id of our log by another key', 'CERTIFICATE_UNLOGGED', logs(forger)],
  [
    "one of another log under our log's id",
    'CERTIFICATE_UNLOGGED',
    {
      leaf: {
        scts: {
          logs: [otherLog],
          bend: (scts) =>
            scts.map(({ bytes }) => ({
              bytes: Buffer.concat([bytes.subarray(0, 1), sigstore.ctLog.id, bytes.subarray(33)]),
            })),
        },
      },
    },
  ],
  ['a bit of its signature', 'CERTIFICATE_UNLOGGED', each((bytes) => flip(bytes))],
  ['a bit of its log id', 'CERTIFICATE_UNLOGGED', each((bytes) => flip(bytes, 1))],
  ['a bit of its time', 'CERTIFICATE_UNLOGGED', each((bytes) => flip(bytes, TIMESTAMP))],
  ['a bit of its version', 'CERTIFICATE_UNLOGGED', each((bytes) => flip(bytes, 0))],
  ['its hash algorithm', 'CERTIFICATE_UNLOGGED', each((bytes) => flip(bytes, HASH))],
  ['one for another certificate', 'CERTIFICATE_UNLOGGED', bent(() => borrowed)],
  [
    "one over another authority's key",
    'CERTIFICATE_UNLOGGED',
    logs({ ...sigstore.ctLog, sign: (tbs, _, time) => sigstore.ctLog.sign(tbs, sigstore.root.key.spki, time) }),
  ],
  [
    'one over other bytes',
    'CERTIFICATE_UNLOGGED',
    logs({ ...sigstore.ctLog, sign: (tbs, spki, time) => sigstore.ctLog.sign(flip(tbs), spki, time) }),
  ],
  [
    "one from before the log's key",
    'CERTIFICATE_UNLOGGED',
    trusted((log) => {
      log.window = { from: at(1) };
    }),
  ],
  [
    "one from after the log's key",
    'CERTIFICATE_UNLOGGED',
    trusted((log) => {
      log.window = { from: log.window.from, until: at(-1) };
    }),
  ],
  [
    'a log with another key in the trust root',
    'CERTIFICATE_UNLOGGED',
    trusted((log) => {
      log.key = otherLog.key;
    }),
  ],
  [
    'a log with another id in the trust root',
    'CERTIFICATE_UNLOGGED',
    trusted((log) => {
      log.id = otherLog.id;
    }),
  ],
  [
    'no CT log in the trust root',
    'CERTIFICATE_UNLOGGED',
    {
      trust: (plan) => {
        plan.ctLogs = [];
      },
    },
  ],
  [
    "the transparency log in the CT log's place",
    'CERTIFICATE_UNLOGGED',
    {
      trust: (plan) => {
        plan.ctLogs = plan.logs;
      },
    },
  ],
  ['one where the policy wants two', 'CERTIFICATE_UNLOGGED', { require: wants({ scts: 2 }) }],
  [
    'the same one twice where the policy wants two',
    'CERTIFICATE_UNLOGGED',
    { require: wants({ scts: 2 }), ...bent((scts) => [...scts, ...scts]) },
  ],
  [
    'two of one log where the policy wants two',
    'CERTIFICATE_UNLOGGED',
    { require: wants({ scts: 2 }), ...logs(sigstore.ctLog, sigstore.ctLog) },
  ],
  ['one that is cut', 'CERTIFICATE_UNLOGGED', each((bytes) => bytes.subarray(0, -1))],
  ['one that is empty', 'CERTIFICATE_UNLOGGED', each(() => Buffer.alloc(0))],
]);
