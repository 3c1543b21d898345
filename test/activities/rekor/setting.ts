import type { LogAlarm } from '../../../activities/rekor/alarm.ts';
import type { Confirmation, LiveLogs } from '../../../activities/rekor/live-log.ts';
import { createLiveLogs, type LiveLogsOptions } from '../../../activities/rekor/live-logs.ts';
import type { EntryInclusion, ProvenEntry } from '../../../activities/sigstore/judgement.ts';
import type { TransparencyLog } from '../../../activities/trust/trust-root.ts';
import type { Fault } from '../../support/registry-fault.ts';
import { type ServedSigstore, serveSigstore } from '../../support/virtual-sigstore/http.ts';
import { createKeyPair } from '../../support/virtual-sigstore/key-pair.ts';
import type { MerkleTree } from '../../support/virtual-sigstore/merkle-tree.ts';

export const VERSIONS = ['v1', 'v2'] as const;
export type Version = (typeof VERSIONS)[number];

/** Time enough for every question that is answered at all. */
const PATIENCE_MS = 20_000;

/** A served log of either version, and what a worker makes of it. */
export interface LogSetting extends AsyncDisposable {
  readonly served: ServedSigstore;
  readonly log: TransparencyLog;
  readonly alarms: readonly LogAlarm[];
  /** Worker's clock, ms. */
  clock: number;
  /** A worker's logs that share the alarms and the clock. */
  start(options?: LiveLogsOptions): LiveLogs;
  /** Adds entries of other people. */
  grow(count: number): void;
  /** The newest entry as proven in the tree of `size`, which is the whole one unless given. */
  entry(size?: number): ProvenEntry;
  /** Shows the log with its last entries gone. */
  rollBack(entries: number): void;
  /** Shows another history, as long and `longer` entries longer. */
  split(longer?: number): void;
  /** Shows the log as signed by a key of somebody else. */
  forge(): void;
  /** Shows the true log. */
  mend(): void;
  fault(fault: Fault | undefined): void;
  stop(): Promise<void>;
  /** Paths that were asked since the last call. */
  asked(): readonly string[];
}

export async function openLog(version: Version): Promise<LogSetting> {
  const served = await serveSigstore();
  const { rekorV1, rekorV2, now, urls } = served.sigstore;
  const service = version === 'v1' ? 'rekorV1' : 'rekorV2';
  const tree: MerkleTree = version === 'v1' ? rekorV1.tree : rekorV2.tree;
  const origin = version === 'v1' ? `${rekorV1.host} - ${rekorV1.treeId}` : rekorV2.origin;
  const id = (version === 'v1' ? rekorV1 : rekorV2).id.toString('hex');
  const alarms: LogAlarm[] = [];
  let counted = 0;
  const setting: LogSetting = {
    served,
    log: {
      id,
      baseUrl: new URL(version === 'v1' ? urls.rekorV1 : urls.rekorV2),
      publicKey: (version === 'v1' ? rekorV1 : rekorV2).key.publicKey,
      version,
      origin: version === 'v1' ? undefined : rekorV2.origin,
      validFrom: 0,
      validUntil: undefined,
    },
    alarms,
    clock: now.getTime(),
    start: (options = {}) =>
      createLiveLogs({ now: () => setting.clock, onAlarm: (alarm) => alarms.push(alarm), ...options }),
    grow: (count) => (version === 'v1' ? rekorV1.fill(count, now) : rekorV2.fill(count)),
    entry: (size = tree.size) => ({
      logId: id,
      canonicalizedBody: Buffer.from('the body is not looked at where there is a proof'),
      integratedTime: undefined,
      inclusion: inclusionOf(origin, tree, size),
    }),
    rollBack(entries) {
      served.showV1(rekorV1.variant({ records: rekorV1.records.slice(0, -entries) }));
      served.showV2(rekorV2.variant({ bodies: rekorV2.bodies.slice(0, -entries) }));
    },
    split(longer = 0) {
      const other = rekorV1.variant({ records: [...rekorV1.records].reverse() });
      other.fill(longer, now);
      served.showV1(other);
      const otherV2 = rekorV2.variant({ bodies: [...rekorV2.bodies].reverse() });
      otherV2.fill(longer);
      served.showV2(otherV2);
    },
    forge() {
      served.showV1(rekorV1.variant({ key: createKeyPair() }));
      served.showV2(rekorV2.variant({ key: createKeyPair('Ed25519') }));
    },
    mend() {
      served.showV1(rekorV1);
      served.showV2(rekorV2);
      served.fault(service, undefined);
    },
    fault: (fault) => served.fault(service, fault),
    stop: async () => await served.stop(service),
    asked() {
      const asked = served.requests.slice(counted).map(({ path }) => path);
      counted = served.requests.length;
      return asked;
    },
    [Symbol.asyncDispose]: async () => await served[Symbol.asyncDispose](),
  };
  return setting;
}

function inclusionOf(origin: string, tree: MerkleTree, size: number): EntryInclusion {
  return { origin, index: BigInt(size - 1), treeSize: BigInt(size), rootHash: tree.root(size) };
}

/** Asks with patience. */
export async function confirm(logs: LiveLogs, setting: LogSetting, entry = setting.entry()): Promise<Confirmation> {
  return await logs.confirm(setting.log, entry, AbortSignal.timeout(PATIENCE_MS));
}
