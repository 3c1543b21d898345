import type { Random } from '../random.ts';

/** Bytes that readers stumble over. */
const INTERESTING = [0x00, 0x01, 0x0a, 0x20, 0x22, 0x2c, 0x30, 0x5c, 0x7b, 0x7f, 0x80, 0x81, 0x84, 0xff];

/** Lengths and counts that readers stumble over, as they stand in four bytes. */
const LENGTHS = [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

/** No input grows beyond this, in bytes: larger ones have tests of their own, and would only be slow here. */
export const MAX_GROWN = 256 * 1024;

/** Changes bytes without knowing what they are. `other` is an input to take pieces of. */
export function mutateBytes(bytes: Buffer, random: Random, other: Buffer): Buffer {
  const at = random.below(bytes.length + 1);
  const length = 1 + random.below(random.oneIn(4) ? 256 : 8);
  const before = bytes.subarray(0, at);
  const range = bytes.subarray(at, at + length);
  const after = bytes.subarray(at + length);
  switch (random.below(11)) {
    case 0:
    case 1:
      return replaced(bytes, at, (byte) => byte ^ (1 << random.below(8)));
    case 2:
      return replaced(bytes, at, () => random.pick(INTERESTING));
    case 3:
      return Buffer.concat([before, random.bytes(length), bytes.subarray(at)]);
    case 4:
      return Buffer.concat([before, after]);
    case 5:
      return Buffer.concat([before, range, range, after]);
    case 6:
      return Buffer.from(before);
    case 7:
      return Buffer.concat([before, bigEndian(random.pick(LENGTHS)), bytes.subarray(at + 4)]);
    case 8: {
      const copies = Math.min(10 ** (1 + random.below(4)), Math.floor(MAX_GROWN / length));
      return Buffer.concat([before, ...Array.from({ length: copies }, () => range), after]);
    }
    case 9: {
      const from = random.below(other.length + 1);
      return Buffer.concat([before, other.subarray(from, from + length), after]);
    }
    default: {
      const from = random.below(other.length + 1);
      return Buffer.concat([before, other.subarray(from)]);
    }
  }
}

function replaced(bytes: Buffer, at: number, change: (byte: number) => number): Buffer {
  const copy = Buffer.from(bytes);
  const byte = copy[at];
  if (byte !== undefined) copy[at] = change(byte);
  return copy;
}

function bigEndian(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
