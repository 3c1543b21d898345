/** Where a value stands in the bytes of a JSON text (RFC 8259): from its first byte to behind its last. */
export interface Piece {
  readonly start: number;
  readonly end: number;
}

/** The text is not JSON of the expected form; the message completes "found ...". */
export class PieceError extends Error {
  override readonly name = 'PieceError';
}

const [QUOTE, COMMA, COLON] = [0x22, 0x2c, 0x3a];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];
const BACKSLASH = 0x5c;

/**
 * Takes a JSON text apart without parsing it, in one pass that takes no memory: so a large file is parsed piece by piece, each within
 * its bound. Reads printable ASCII without escapes, and nothing else. Pieces are not checked beyond their brackets.
 */
export class Pieces {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Calls `onMember` at each value of an object, which has to take it with {@link value} or {@link list}. */
  object(onMember: (name: string) => void): void {
    this.#take(OPEN_OBJECT, 'no object');
    for (let first = true; !this.#takes(CLOSE_OBJECT); first = false) {
      if (!first) this.#take(COMMA, 'no comma');
      const { start, end } = this.value();
      if (this.#bytes[start] !== QUOTE) throw new PieceError('a name without quotes');
      this.#take(COLON, 'no colon');
      onMember(this.text({ start: start + 1, end: end - 1 }));
    }
  }

  /** Calls `onItem` with each item of a list; answers `false` where there is another value. */
  list(onItem: (piece: Piece) => void): boolean {
    if (this.#next() !== OPEN_LIST) return false;
    this.#at++;
    for (let first = true; !this.#takes(CLOSE_LIST); first = false) {
      if (!first) this.#take(COMMA, 'no comma');
      onItem(this.value());
    }
    return true;
  }

  /** Takes any value. */
  value(): Piece {
    this.#next();
    const start = this.#at;
    for (let depth = 0; ; ) {
      const byte = this.#next();
      if (byte === undefined) throw new PieceError('a text that ends early');
      if (byte === OPEN_LIST || byte === OPEN_OBJECT) depth++;
      else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth--;
      if (byte === QUOTE) this.#string();
      else if (depth === 0 && isLiteral(byte)) this.#literal();
      else this.#at++;
      if (depth < 0 || (depth === 0 && (byte === COMMA || byte === COLON))) throw new PieceError('no value');
      if (depth === 0) return { start, end: this.#at };
    }
  }

  /** The end of the text: nothing but blanks may follow. */
  end(): void {
    if (this.#next() !== undefined) throw new PieceError('more than one value');
  }

  /** The text of a piece, which is ASCII. */
  text({ start, end }: Piece): string {
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + start, end - start).toString('latin1');
  }

  /** The next byte that is not blank; `undefined` at the end. */
  #next(): number | undefined {
    for (; ; this.#at++) {
      const byte = this.#bytes[this.#at];
      if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) continue;
      if (byte !== undefined && !isPrintable(byte)) throw new PieceError('a byte that is not printable ASCII');
      return byte;
    }
  }

  #takes(byte: number): boolean {
    if (this.#next() !== byte) return false;
    this.#at++;
    return true;
  }

  #take(byte: number, problem: string): void {
    if (!this.#takes(byte)) throw new PieceError(problem);
  }

  #string(): void {
    for (this.#at++; ; this.#at++) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw new PieceError('a text that ends early');
      if (!isPrintable(byte)) throw new PieceError('a byte that is not printable ASCII');
      if (byte !== QUOTE) continue;
      this.#at++;
      return;
    }
  }

  #literal(): void {
    for (let byte = this.#bytes[this.#at]; byte !== undefined && isLiteral(byte); byte = this.#bytes[this.#at])
      this.#at++;
  }
}

/** Without the backslash: an escape makes one byte of the text two or four of memory. */
function isPrintable(byte: number): boolean {
  return byte >= 0x20 && byte <= 0x7e && byte !== BACKSLASH;
}

/** A byte of a number, `true`, `false` or `null`. */
function isLiteral(byte: number): boolean {
  return (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || byte === 0x2d || byte === 0x2e;
}
