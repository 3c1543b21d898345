import type { Digest } from '../../workflows/digest.ts';

/**
 * Bytes by their digest, in memory. The caller has checked that the bytes hash to the digest. Once more than
 * `maxBytes` are held, the entries that were not read for longest go.
 */
export class EvidenceCache {
  readonly #maxBytes: number;
  // A Map iterates in order of insertion, and a read inserts again: the first entry is the least recently used.
  readonly #entries = new Map<Digest, Uint8Array>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes held. */
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
    if (content.byteLength > this.#maxBytes) return;
    this.#entries.set(digest, content);
    this.#bytes += content.byteLength;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#drop(oldest);
    }
  }

  #drop(digest: Digest): void {
    this.#bytes -= this.#entries.get(digest)?.byteLength ?? 0;
    this.#entries.delete(digest);
  }
}
