import type { Digest } from '../../workflows/format/digest.ts';
import { MAX_LIGHT_EVIDENCE_BYTES } from '../limits.ts';

/**
 * Bytes by their digest, in memory. The caller has checked that the bytes hash to the digest. Once more than
 * `maxBytes` are held, the entries that were not read for longest go. What is large never takes more than half of the
 * room, so that junk does not push out signatures and manifests.
 */
export class EvidenceCache {
  readonly #maxBytes: number;
  readonly #small = new Shelf();
  readonly #large = new Shelf();

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#small.bytes + this.#large.bytes;
  }

  get(digest: Digest): Uint8Array | undefined {
    return this.#small.get(digest) ?? this.#large.get(digest);
  }

  put(digest: Digest, content: Uint8Array): void {
    if (content.byteLength > this.#maxBytes) return;
    const shelf = content.byteLength > MAX_LIGHT_EVIDENCE_BYTES ? this.#large : this.#small;
    shelf.put(digest, content);
    this.#large.shrink(this.#maxBytes / 2);
    this.#small.shrink(this.#maxBytes - this.#large.bytes);
  }
}

/** Entries of one size, the least recently used first. */
class Shelf {
  // A Map iterates in order of insertion, and a read inserts again.
  readonly #entries = new Map<Digest, Uint8Array>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get(digest: Digest): Uint8Array | undefined {
    const content = this.#entries.get(digest);
    if (content === undefined) return undefined;
    this.#entries.delete(digest);
    this.#entries.set(digest, content);
    return content;
  }

  put(digest: Digest, content: Uint8Array): void {
    this.#drop(digest);
    this.#entries.set(digest, content);
    this.#bytes += content.byteLength;
  }

  shrink(maxBytes: number): void {
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= maxBytes) break;
      this.#drop(oldest);
    }
  }

  #drop(digest: Digest): void {
    this.#bytes -= this.#entries.get(digest)?.byteLength ?? 0;
    this.#entries.delete(digest);
  }
}
