/** What `@sigstore/core` may spend on one document, in elements that it tries to read: a timestamp with its chain takes some 500. */
const MAX_ELEMENTS = 20_000;

/** As deep as `@sigstore/core` goes (4.0.1 `asn1/obj.js`). */
const MAX_DEPTH = 100;

const UNIVERSAL_OCTET_STRING = 0x04;
const LONG_FORM = 0x1f;

/**
 * Tells whether `@sigstore/core` reads this DER with a bounded effort. It takes what is in an octet string for DER and, when
 * it is not, goes on behind it; elements may reach out of what holds them. Three hundred bytes of octet strings one in
 * the other keep it busy for longer than the universe will last, and anybody can put them where a certificate or a
 * timestamp is looked for. Its way through the bytes is walked here first, and counted.
 */
export function isReadable(der: Uint8Array): boolean {
  const walk: Walk = { der, at: 0, elements: 0 };
  readElement(walk, 0);
  return walk.elements <= MAX_ELEMENTS;
}

interface Walk {
  readonly der: Uint8Array;
  at: number;
  elements: number;
}

/** Follows `parseStream`; false where that throws. */
function readElement(walk: Walk, depth: number): boolean {
  if (++walk.elements > MAX_ELEMENTS || depth > MAX_DEPTH) return false;
  const tag = walk.der[walk.at++];
  if (tag === undefined || (tag & ~0x20) === 0 || (tag & 0x1f) === LONG_FORM) return false;
  const length = readLength(walk);
  if (length === undefined || walk.at + length > walk.der.length) return false;
  const end = walk.at + length;
  if ((tag & 0x20) !== 0) return readElements(walk, end, depth);
  if (tag === UNIVERSAL_OCTET_STRING) readElements(walk, end, depth);
  walk.at = end;
  return true;
}

/** Follows `collectSubs`. */
function readElements(walk: Walk, end: number, depth: number): boolean {
  while (walk.at < end) {
    if (!readElement(walk, depth + 1)) return false;
  }
  return walk.at === end;
}

/** Follows `decodeLength`. */
function readLength(walk: Walk): number | undefined {
  const first = walk.der[walk.at++];
  if (first === undefined || first < 0x80) return first;
  const count = first & 0x7f;
  if (count > 6 || walk.der[walk.at] === 0) return undefined;
  let length = 0;
  for (let i = 0; i < count; i++) {
    const byte = walk.der[walk.at++];
    if (byte === undefined) return undefined;
    length = length * 256 + byte;
  }
  return length < 0x80 ? undefined : length;
}
