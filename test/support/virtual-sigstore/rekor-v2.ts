import { canonicalJson } from './canonical-json.ts';
import { createKeyPair, type KeyPair } from './key-pair.ts';
import { MerkleTree, TILE_WIDTH } from './merkle-tree.ts';
import { checkpointText, noteKeyId, signNote, type VirtualWitness } from './note.ts';
import { inclusionProof, kindVersionOf, type TlogEntry } from './tlog-entry.ts';

export interface RekorV2Options {
  /** Host name: origin of checkpoints. */
  readonly origin: string;
  readonly key?: KeyPair;
  readonly witnesses?: readonly VirtualWitness[];
}

/** A transparency log of tiles (Rekor 2, C2SP tlog-tiles): no promise, no time; checkpoints may be co-signed. */
export class RekorV2 {
  readonly origin: string;
  readonly key: KeyPair;
  readonly witnesses: readonly VirtualWitness[];
  readonly tree = new MerkleTree();
  readonly #bodies: Buffer[] = [];

  constructor({ origin, key = createKeyPair('Ed25519'), witnesses = [] }: RekorV2Options) {
    this.origin = origin;
    this.key = key;
    this.witnesses = witnesses;
  }

  /** SHA-256 over origin and key; its first four bytes are the key id in notes. */
  get id(): Buffer {
    return noteKeyId(this.origin, 1, this.key);
  }

  /** Logs a body (an object is made canonical, bytes stay as they are); answers its index. */
  append(body: object): number {
    const bytes = body instanceof Uint8Array ? Buffer.from(body) : Buffer.from(canonicalJson(body));
    this.#bodies.push(bytes);
    return this.tree.append(bytes);
  }

  get bodies(): readonly Buffer[] {
    return this.#bodies;
  }

  /** Another log of the same origin: with another key a forger's, with other bodies the other half of a split view, with fewer a rolled-back one. */
  variant({ key = this.key, bodies = this.#bodies }: Partial<Pick<RekorV2, 'key' | 'bodies'>>): RekorV2 {
    const log = new RekorV2({ origin: this.origin, witnesses: this.witnesses, key });
    for (const body of bodies) log.append(body);
    return log;
  }

  /** Entries of other people, so that proofs have hashes and tiles fill. */
  fill(count: number): void {
    for (let n = 0; n < count; n++) {
      this.append({ apiVersion: '0.0.2', kind: 'hashedrekord', spec: { filler: `${this.tree.size}` } });
    }
  }

  /** The entry with its proof in the tree of `size` leaves; `time` is the witnesses'. */
  entry(index: number, time: Date, size = this.tree.size): TlogEntry {
    const body = this.#bodies[index];
    if (body === undefined) throw new Error(`expected an index below ${this.#bodies.length}, found ${index}`);
    return {
      logIndex: String(index),
      logId: { keyId: this.id.toString('base64') },
      kindVersion: kindVersionOf(body),
      inclusionProof: inclusionProof(this.tree, index, size, this.checkpoint(time, size)),
      canonicalizedBody: body.toString('base64'),
    };
  }

  /** A checkpoint over any size and root, with the cosignature of each witness. */
  checkpoint(time: Date, size = this.tree.size, root: Uint8Array = this.tree.root(size)): string {
    const text = checkpointText({ origin: this.origin, size, root });
    const note = signNote(text, [{ name: this.origin, key: this.key, keyId: this.id }]);
    return note + this.witnesses.map((witness) => witness.cosign(text, time)).join('');
  }

  /**
   * What lies under a path of the read interface: `<L>/<N>[.p/<W>]` are hashes, `entries/<N>[.p/<W>]` entry bundles.
   * `undefined` for what is not there, in the tree of `size` leaves.
   */
  tile(path: string, size = this.tree.size): Buffer | undefined {
    const found = /^(entries|\d+)\/((?:x\d{3}\/)*\d{3})(?:\.p\/(\d+))?$/.exec(path);
    if (found === null) return undefined;
    const [, level = '', digits = '', partial] = found;
    const index = Number(digits.replaceAll(/[x/]/g, ''));
    const width = partial === undefined ? TILE_WIDTH : Number(partial);
    const depth = level === 'entries' ? 0 : Number(level);
    const end = (index * TILE_WIDTH + width) * TILE_WIDTH ** depth;
    if (width < 1 || width > TILE_WIDTH || end > size) return undefined;
    if (level !== 'entries') return this.tree.tile(depth, index, width);
    const first = index * TILE_WIDTH;
    return Buffer.concat(this.#bodies.slice(first, first + width).flatMap((body) => [lengthPrefix(body), body]));
  }
}

/** Path of a full or partial tile that holds `leaf` hashes in a tree of `size` leaves. */
export function tilePath(level: number | 'entries', index: number, size: number): string {
  const span = TILE_WIDTH ** (level === 'entries' ? 0 : level);
  const width = Math.min(TILE_WIDTH, Math.floor(size / span) - index * TILE_WIDTH);
  const groups =
    String(index)
      .padStart(Math.ceil(String(index).length / 3) * 3, '0')
      .match(/.{3}/g) ?? [];
  const name = groups.map((group, n) => (n < groups.length - 1 ? `x${group}` : group)).join('/');
  return `${level}/${name}${width < TILE_WIDTH ? `.p/${width}` : ''}`;
}

function lengthPrefix(body: Uint8Array): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(body.length);
  return length;
}
