/** One value of a JSON text: a scalar, the beginning of an object or array, or the end of one. */
export interface JsonValueSeen {
  /** The keys that lead to it; of an element of an array `[]`. A key that is not kept is the empty text. */
  readonly path: readonly string[];
  readonly kind: 'object' | 'array' | 'end' | 'string' | 'number' | 'true' | 'false' | 'null';
  /** Of a string; absent where it is longer than what is kept, or cannot be decoded. */
  readonly text?: string;
  readonly number?: number;
}

/** Deeper than any list of a registry; nesting costs nothing to write. */
const MAX_DEPTH = 64;

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] = [0x7b, 0x7d, 0x5b, 0x5d];

/** A number or a literal (RFC 8259 sections 3 and 6). */
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const MAX_WORD_BYTES = 64;

type Expected = 'value' | 'value-or-end' | 'key' | 'key-or-end' | 'colon' | 'comma-or-end' | 'nothing';

/**
 * Reads JSON (RFC 8259) while its bytes arrive, without keeping it: of a string no more than `maxTextBytes` bytes are
 * held. Structure, numbers and literals are checked; the bytes of a string that is not kept are not.
 */
export class JsonScan {
  readonly #see: (value: JsonValueSeen) => void;
  readonly #text: Buffer;
  readonly #path: string[] = [];
  readonly #isObject: boolean[] = [];
  #expected: Expected = 'value';
  #token: 'none' | 'string' | 'escape' | 'word' = 'none';
  #length = 0;
  /** The string so far has neither an escape nor anything but ASCII. */
  #isPlain = true;
  #broken = false;

  constructor(see: (value: JsonValueSeen) => void, maxTextBytes: number) {
    this.#see = see;
    this.#text = Buffer.alloc(Math.max(maxTextBytes, MAX_WORD_BYTES));
  }

  /** False once something was written that no JSON text begins with. */
  get isPossible(): boolean {
    return !this.#broken;
  }

  write(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length && !this.#broken; at++) {
      if (this.#token === 'string') at = this.#holdPlain(chunk, at);
      const byte = chunk[at];
      if (byte === undefined) return;
      if (this.#token === 'string') this.#inString(byte);
      else if (this.#token === 'escape') this.#escaped(byte);
      else if (this.#token === 'word' && isWord(byte)) this.#hold(byte);
      else {
        if (this.#token === 'word') this.#endWord();
        if (!this.#broken) this.#between(byte);
      }
    }
  }

  /** Whether all that was written is one JSON text. */
  end(): boolean {
    if (this.#token === 'word') this.#endWord();
    return !this.#broken && this.#token === 'none' && this.#expected === 'nothing';
  }

  /** Takes the plain bytes of a string at once, for most of a hostile list is one; answers where it ends. */
  #holdPlain(chunk: Uint8Array, from: number): number {
    let [end, bits] = [from, 0];
    for (; end < chunk.length; end++) {
      const byte = chunk[end] ?? 0;
      if (byte === QUOTE || byte === BACKSLASH || byte < 0x20) break;
      bits |= byte;
    }
    const room = this.#text.length - this.#length;
    if (room > 0 && end > from) this.#text.set(chunk.subarray(from, Math.min(end, from + room)), this.#length);
    if (bits > 0x7f) this.#isPlain = false;
    this.#length += end - from;
    return end;
  }

  #inString(byte: number): void {
    if (byte === QUOTE) this.#endString();
    else if (byte < 0x20) this.#broken = true;
    else {
      if (byte === BACKSLASH) {
        this.#token = 'escape';
        this.#isPlain = false;
      }
      this.#hold(byte);
    }
  }

  #escaped(byte: number): void {
    this.#token = 'string';
    this.#hold(byte);
  }

  #hold(byte: number): void {
    if (this.#length < this.#text.length) this.#text[this.#length] = byte;
    this.#length++;
  }

  #between(byte: number): void {
    if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) return;
    switch (this.#expected) {
      case 'value':
      case 'value-or-end':
        if (byte === CLOSE_ARRAY && this.#expected === 'value-or-end') this.#close();
        else this.#begin(byte);
        return;
      case 'key':
      case 'key-or-end':
        if (byte === QUOTE) this.#start('string');
        else if (byte === CLOSE_OBJECT && this.#expected === 'key-or-end') this.#close();
        else this.#broken = true;
        return;
      case 'colon':
        if (byte === COLON) this.#expected = 'value';
        else this.#broken = true;
        return;
      case 'comma-or-end': {
        const isObject = this.#isObject.at(-1) === true;
        if (byte === COMMA) {
          if (isObject) this.#path.pop();
          this.#expected = isObject ? 'key' : 'value';
        } else if (byte === (isObject ? CLOSE_OBJECT : CLOSE_ARRAY)) {
          if (isObject) this.#path.pop();
          this.#close();
        } else this.#broken = true;
        return;
      }
      case 'nothing':
        this.#broken = true;
    }
  }

  #begin(byte: number): void {
    if (byte === QUOTE) this.#start('string');
    else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) this.#open(byte === OPEN_OBJECT);
    else if (isWord(byte)) {
      this.#start('word');
      this.#hold(byte);
    } else this.#broken = true;
  }

  #start(token: 'string' | 'word'): void {
    this.#token = token;
    this.#length = 0;
    this.#isPlain = true;
  }

  #open(isObject: boolean): void {
    this.#see({ path: this.#path, kind: isObject ? 'object' : 'array' });
    this.#isObject.push(isObject);
    if (!isObject) this.#path.push('[]');
    if (this.#isObject.length > MAX_DEPTH) this.#broken = true;
    this.#expected = isObject ? 'key-or-end' : 'value-or-end';
  }

  #close(): void {
    if (this.#isObject.pop() === false) this.#path.pop();
    this.#see({ path: this.#path, kind: 'end' });
    this.#expected = this.#isObject.length === 0 ? 'nothing' : 'comma-or-end';
  }

  #endString(): void {
    this.#token = 'none';
    const text = this.#length <= this.#text.length ? this.#decode() : undefined;
    if (this.#expected === 'key' || this.#expected === 'key-or-end') {
      this.#path.push(text ?? '');
      this.#expected = 'colon';
    } else {
      this.#seeScalar({ kind: 'string', ...(text === undefined ? {} : { text }) });
    }
  }

  #decode(): string | undefined {
    return this.#isPlain
      ? this.#text.toString('latin1', 0, this.#length)
      : decode(this.#text.subarray(0, this.#length));
  }

  #endWord(): void {
    this.#token = 'none';
    const word = this.#text.toString('latin1', 0, Math.min(this.#length, MAX_WORD_BYTES));
    if (word === 'true' || word === 'false' || word === 'null') this.#seeScalar({ kind: word });
    else if (this.#length <= MAX_WORD_BYTES && NUMBER.test(word)) {
      this.#seeScalar({ kind: 'number', number: Number(word) });
    } else this.#broken = true;
  }

  #seeScalar(value: Omit<JsonValueSeen, 'path'>): void {
    this.#see({ path: this.#path, ...value });
    this.#expected = this.#isObject.length === 0 ? 'nothing' : 'comma-or-end';
  }
}

function isWord(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x61 && byte <= 0x7a) ||
    byte === 0x2b ||
    byte === 0x2d ||
    byte === 0x2e ||
    byte === 0x45
  );
}

/** The content of a string token; the JSON reader of the language knows the escapes. */
function decode(raw: Uint8Array): string | undefined {
  try {
    const value: unknown = JSON.parse(`"${new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(raw)}"`);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
