import type { KeyObject } from 'node:crypto';

/**
 * ECDSA on P-256 over a digest that is already there, which `node:crypto` does not offer: it hashes for itself. For the
 * conformance client only, which may be given a digest in place of the file; slow, and without secrets to keep.
 */

/** The curve (SEC 2, secp256r1): y² = x³ - 3x + b over P; G generates a group of N points. */
const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const G: Point = {
  x: 0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
  y: 0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
};

interface Point {
  readonly x: bigint;
  readonly y: bigint;
}

/** Tells whether a signature (ASN.1 DER) by a P-256 key holds over a SHA-256 digest; false for keys of other kinds. */
export function holdsOverDigest(digest: Uint8Array, signature: Uint8Array, key: KeyObject): boolean {
  const point = pointOf(key);
  const rs = readSignature(Buffer.from(signature));
  if (point === undefined || rs === undefined || digest.byteLength !== 32) return false;
  const { r, s } = rs;
  if (r < 1n || r >= N || s < 1n || s >= N) return false;
  const w = inverse(s, N);
  const u1 = modulo(toBigInt(digest) * w, N);
  const u2 = modulo(r * w, N);
  const sum = add(multiply(u1, G), multiply(u2, point));
  return sum !== undefined && modulo(sum.x, N) === r;
}

/** Node has checked that the point is on the curve when it read the key. */
function pointOf(key: KeyObject): Point | undefined {
  if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return undefined;
  const { x, y } = key.export({ format: 'jwk' });
  if (x === undefined || y === undefined) return undefined;
  return { x: toBigInt(Buffer.from(x, 'base64url')), y: toBigInt(Buffer.from(y, 'base64url')) };
}

/** SEQUENCE of two positive INTEGERs, minimal and with nothing behind (RFC 3279 `Ecdsa-Sig-Value`). */
function readSignature(der: Buffer): { readonly r: bigint; readonly s: bigint } | undefined {
  if (der[0] !== 0x30 || der[1] !== der.byteLength - 2) return undefined;
  const r = readInteger(der, 2);
  const s = r === undefined ? undefined : readInteger(der, r.end);
  if (r === undefined || s === undefined || s.end !== der.byteLength) return undefined;
  return { r: r.value, s: s.value };
}

function readInteger(der: Buffer, at: number): { readonly value: bigint; readonly end: number } | undefined {
  const length = der[at + 1];
  if (der[at] !== 0x02 || length === undefined || length < 1 || length > 33) return undefined;
  const bytes = der.subarray(at + 2, at + 2 + length);
  const [first = 0x80, second = 0x80] = bytes;
  const minimal = bytes.byteLength === length && first < 0x80 && (first !== 0 || length === 1 || second >= 0x80);
  return minimal ? { value: toBigInt(bytes), end: at + 2 + length } : undefined;
}

function multiply(scalar: bigint, point: Point): Point | undefined {
  let sum: Point | undefined;
  let power: Point | undefined = point;
  for (let rest = scalar; rest > 0n; rest >>= 1n) {
    if (rest & 1n) sum = add(sum, power);
    power = add(power, power);
  }
  return sum;
}

/** `undefined` is the point at infinity. */
function add(a: Point | undefined, b: Point | undefined): Point | undefined {
  if (a === undefined) return b;
  if (b === undefined) return a;
  if (a.x === b.x && modulo(a.y + b.y, P) === 0n) return undefined;
  const slope =
    a.x === b.x
      ? (3n * a.x * a.x - 3n) * inverse(modulo(2n * a.y, P), P)
      : (b.y - a.y) * inverse(modulo(b.x - a.x, P), P);
  const x = modulo(slope * slope - a.x - b.x, P);
  return { x, y: modulo(slope * (a.x - x) - a.y, P) };
}

/** The multiplicative inverse modulo a prime, by Euclid. */
function inverse(value: bigint, prime: bigint): bigint {
  let [a, b, x, y] = [value, prime, 1n, 0n];
  while (b !== 0n) [a, b, x, y] = [b, a % b, y, x - (a / b) * y];
  return modulo(x, prime);
}

function modulo(value: bigint, modulus: bigint): bigint {
  const rest = value % modulus;
  return rest < 0n ? rest + modulus : rest;
}

function toBigInt(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`);
}
