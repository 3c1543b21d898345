import { canonicalJson } from './canonical-json.ts';
import { createKeyPair, type KeyPair, sha256 } from './key-pair.ts';
import { leafHash, MerkleTree } from './merkle-tree.ts';
import { checkpointText, signNote } from './note.ts';
import { inclusionProof, kindVersionOf, type TlogEntry } from './tlog-entry.ts';

export interface RekorV1Options {
  /** Host name: it signs checkpoints. */
  readonly host: string;
  readonly key?: KeyPair;
  readonly treeId?: string;
  /** Entries of earlier shards: what the index in the tree lacks to be the index in the log. */
  readonly offset?: number;
}

/** One logged entry. */
export interface LogRecord {
  readonly body: Buffer;
  /** In this shard's tree. */
  readonly index: number;
  /** Unix seconds. */
  readonly integratedTime: number;
}

/** What an inclusion promise is over. */
export interface Promised {
  readonly body: Uint8Array;
  readonly integratedTime: number;
  readonly logIndex: number;
  /** Hex. */
  readonly logId: string;
}

/** A transparency log with the API of Rekor 1: a tree, promises (SET), proofs and checkpoints. */
export class RekorV1 {
  readonly host: string;
  readonly key: KeyPair;
  readonly treeId: string;
  readonly offset: number;
  readonly tree = new MerkleTree();
  readonly #records: LogRecord[] = [];

  constructor({ host, key = createKeyPair(), treeId = '1193050959916656506', offset = 1000 }: RekorV1Options) {
    this.host = host;
    this.key = key;
    this.treeId = treeId;
    this.offset = offset;
  }

  /** SHA-256 of its key. */
  get id(): Buffer {
    return sha256(this.key.spki);
  }

  get records(): readonly LogRecord[] {
    return this.#records;
  }

  /** Logs a body: an object is made canonical, bytes stay as they are. */
  append(body: object, time: Date): LogRecord {
    const bytes = body instanceof Uint8Array ? Buffer.from(body) : Buffer.from(canonicalJson(body));
    const record = { body: bytes, index: this.tree.append(bytes), integratedTime: Math.floor(time.getTime() / 1000) };
    this.#records.push(record);
    return record;
  }

  /** Another log of the same name: with another key a forger's, with other records the other half of a split view, with fewer a rolled-back one. */
  variant({ key = this.key, records = this.#records }: Partial<Pick<RekorV1, 'key' | 'records'>>): RekorV1 {
    const { host, treeId, offset } = this;
    const log = new RekorV1({ host, treeId, offset, key });
    for (const { body, integratedTime } of records) log.append(body, new Date(integratedTime * 1000));
    return log;
  }

  /** Entries of other people, so that proofs have hashes. */
  fill(count: number, time: Date): void {
    for (let n = 0; n < count; n++) {
      this.append({ apiVersion: '0.0.1', kind: 'rekord', spec: { filler: `${this.tree.size}` } }, time);
    }
  }

  /** The signed entry timestamp over any fields. */
  promise({ body, integratedTime, logIndex, logId }: Promised): string {
    const text = canonicalJson({ body: Buffer.from(body).toString('base64'), integratedTime, logID: logId, logIndex });
    return this.key.sign(Buffer.from(text)).toString('base64');
  }

  promised({ body, integratedTime, index }: LogRecord): Promised {
    return { body, integratedTime, logIndex: index + this.offset, logId: this.id.toString('hex') };
  }

  /** The entry with promise and proof in the tree of `size` leaves. */
  entry(record: LogRecord, size = this.tree.size): TlogEntry {
    return {
      logIndex: String(record.index + this.offset),
      logId: { keyId: this.id.toString('base64') },
      kindVersion: kindVersionOf(record.body),
      integratedTime: String(record.integratedTime),
      inclusionPromise: { signedEntryTimestamp: this.promise(this.promised(record)) },
      inclusionProof: inclusionProof(this.tree, record.index, size, this.checkpoint(size)),
      canonicalizedBody: record.body.toString('base64'),
    };
  }

  /** 16 hex digits of tree id and the leaf hash. */
  uuid({ body }: LogRecord): string {
    return `${BigInt(this.treeId).toString(16).padStart(16, '0')}${leafHash(body).toString('hex')}`;
  }

  /** A checkpoint over any size and root. */
  checkpoint(size = this.tree.size, root: Uint8Array = this.tree.root(size)): string {
    const text = checkpointText({ origin: `${this.host} - ${this.treeId}`, size, root });
    return signNote(text, [{ name: this.host, key: this.key, keyId: this.id }]);
  }
}
