/**
 * ECDSA signatures are DER in Sigstore (RFC 3279 section 2.2.3) and two numbers of fixed length in Azure (RFC 7518 section
 * 3.4). `undefined` for what is neither.
 */
export function toDer(raw: Uint8Array): Uint8Array | undefined {
  if (raw.length === 0 || raw.length % 2 !== 0 || raw.length > 132) return undefined;
  const half = raw.length / 2;
  const body = Buffer.concat([derInteger(raw.subarray(0, half)), derInteger(raw.subarray(half))]);
  return Buffer.concat([derHeader(0x30, body.length), body]);
}

/** `size` is the length of one number: 32, 48 or 66 bytes. */
export function fromDer(der: Uint8Array, size: number): Uint8Array | undefined {
  const outer = readValue(der, 0x30);
  if (outer === undefined || outer.rest.length > 0) return undefined;
  const r = readValue(outer.value, 0x02);
  const s = r === undefined ? undefined : readValue(r.rest, 0x02);
  if (r === undefined || s === undefined || s.rest.length > 0) return undefined;
  const numbers = [r.value, s.value].map((value) => padded(value, size)).filter((number) => number !== undefined);
  return numbers.length === 2 ? Buffer.concat(numbers) : undefined;
}

function derInteger(bytes: Uint8Array): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  const number = first === -1 ? Buffer.of(0) : Buffer.from(bytes.subarray(first));
  // A leading one bit would make it negative.
  const value = (number[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), number]) : number;
  return Buffer.concat([derHeader(0x02, value.length), value]);
}

function derHeader(tag: number, length: number): Buffer {
  return length < 0x80 ? Buffer.of(tag, length) : Buffer.of(tag, 0x81, length);
}

function readValue(
  bytes: Uint8Array,
  tag: number,
): { readonly value: Uint8Array; readonly rest: Uint8Array } | undefined {
  const [found, short, long] = bytes;
  if (found !== tag || short === undefined) return undefined;
  const start = short === 0x81 ? 3 : 2;
  const length = short === 0x81 ? long : short < 0x80 ? short : undefined;
  if (length === undefined || start + length > bytes.length) return undefined;
  return { value: bytes.subarray(start, start + length), rest: bytes.subarray(start + length) };
}

function padded(number: Uint8Array, size: number): Buffer | undefined {
  const first = number.findIndex((byte) => byte !== 0);
  const digits = first === -1 ? new Uint8Array(0) : number.subarray(first);
  return digits.length > size ? undefined : Buffer.concat([Buffer.alloc(size - digits.length), digits]);
}
