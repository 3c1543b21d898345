/** One value in DER. */
export interface Der {
  /** The identifier octet: class, form and number in one. */
  readonly tag: number;
  readonly content: Buffer;
  /** With tag and length. */
  readonly whole: Buffer;
}

/** Identifier octets that are looked for. */
export const DER_TAG = {
  integer: 0x02,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  /** Context-specific, constructed. */
  context0: 0xa0,
} as const;

const LONG_FORM_TAG = 0x1f;
/** Lengths of up to three bytes: 16 MiB, more than any document that is read here. */
const MAX_LENGTH_BYTES = 3;

/** Reads bytes that are exactly one value; `undefined` for anything else, and for what BER has and DER has not. */
export function readDer(bytes: Buffer): Der | undefined {
  const [one, ...more] = readDerList(bytes) ?? [];
  return more.length === 0 ? one : undefined;
}

/**
 * Reads values that stand one after the other and fill the bytes, with tags of one octet and definite lengths in as few
 * octets as they take (X.690 section 10.1). Their contents are not looked at.
 */
export function readDerList(bytes: Buffer): readonly Der[] | undefined {
  const values: Der[] = [];
  for (let at = 0; at < bytes.length; ) {
    const value = readAt(bytes, at);
    if (value === undefined) return undefined;
    values.push(value);
    at += value.whole.length;
  }
  return values;
}

function readAt(bytes: Buffer, at: number): Der | undefined {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined || (tag & LONG_FORM_TAG) === LONG_FORM_TAG) return undefined;
  const count = first < 0x80 ? 0 : first & 0x7f;
  const start = at + 2 + count;
  const length = count === 0 ? first : readLength(bytes, at + 2, count);
  if (length === undefined || start + length > bytes.length) return undefined;
  return { tag, content: bytes.subarray(start, start + length), whole: bytes.subarray(at, start + length) };
}

function readLength(bytes: Buffer, at: number, count: number): number | undefined {
  if (count < 1 || count > MAX_LENGTH_BYTES || at + count > bytes.length) return undefined;
  const length = bytes.readUIntBE(at, count);
  return length >= 0x80 && length >= 2 ** (8 * (count - 1)) ? length : undefined;
}

/** The values in a constructed one with this tag; `undefined` for any other value. */
export function insideDer(value: Der | undefined, tag: number): readonly Der[] | undefined {
  return value?.tag === tag ? readDerList(value.content) : undefined;
}
