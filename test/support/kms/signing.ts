import {
  constants,
  createECDH,
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  privateEncrypt,
  publicDecrypt,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';

/** Signing of digests, which `node:crypto` does not offer: KMS and its callers do it, so that the message stays at home. */

type Hash = 'sha256' | 'sha384' | 'sha512';

interface Curve {
  readonly name: string;
  readonly order: bigint;
}

/** FIPS 186-5, SEC 2. */
const CURVES: ReadonlyMap<string, Curve> = new Map([
  ['P-256', curve('prime256v1', 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551')],
  ['P-384', curve('secp384r1', `${'f'.repeat(48)}c7634d81f4372ddf581a0db248b0a77aecec196accc52973`)],
  [
    'P-521',
    curve('secp521r1', `01${'f'.repeat(64)}fa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409`),
  ],
]);

function curve(name: string, order: string): Curve {
  return { name, order: BigInt(`0x${order}`) };
}

/** An algorithm as KMS names it: `ECDSA_SHA_256`, `RSASSA_PSS_SHA_512`. */
function hashOf(algorithm: string): Hash {
  const size = /_SHA_(256|384|512)$/.exec(algorithm)?.[1];
  if (size === undefined) throw new Error(`expected an algorithm with a hash, found ${algorithm}`);
  return `sha${size}` as Hash; // the pattern lets nothing else through
}

export function signByAlgorithm(key: KeyObject, algorithm: string, message: Buffer, isDigest: boolean): Buffer {
  if (key.asymmetricKeyType === 'ed25519' || key.asymmetricKeyType?.startsWith('ml-dsa'))
    return sign(null, message, key);
  const hash = hashOf(algorithm);
  const digest = isDigest ? message : createHash(hash).update(message).digest();
  if (algorithm.startsWith('ECDSA')) return signEcdsa(key, digest);
  const padded = { key, padding: constants.RSA_NO_PADDING };
  if (algorithm.startsWith('RSASSA_PSS')) return privateEncrypt(padded, pssEncode(digest, hash, bitsOf(key) - 1));
  return privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, digestInfo(digest, hash));
}

export function verifyByAlgorithm(
  key: KeyObject,
  algorithm: string,
  message: Buffer,
  isDigest: boolean,
  signature: Buffer,
) {
  try {
    if (key.asymmetricKeyType === 'ed25519' || key.asymmetricKeyType?.startsWith('ml-dsa')) {
      return verify(null, message, createPublicKey(key), signature);
    }
    const hash = hashOf(algorithm);
    const digest = isDigest ? message : createHash(hash).update(message).digest();
    if (algorithm.startsWith('ECDSA')) return verifyEcdsa(key, digest, signature);
    if (algorithm.startsWith('RSASSA_PSS')) {
      const encoded = publicDecrypt({ key, padding: constants.RSA_NO_PADDING }, signature);
      return pssHolds(encoded, digest, hash, bitsOf(key) - 1);
    }
    return publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature).equals(digestInfo(digest, hash));
  } catch {
    return false;
  }
}

function bitsOf(key: KeyObject): number {
  return key.asymmetricKeyDetails?.modulusLength ?? 0;
}

/** RFC 8017 section 9.2, note 1. */
function digestInfo(digest: Buffer, hash: Hash): Buffer {
  const [oid, length] = { sha256: ['01', '20'], sha384: ['02', '30'], sha512: ['03', '40'] }[hash];
  const outer = (digest.length + 17).toString(16);
  return Buffer.concat([
    Buffer.from(`30${outer}300d060960864801650304020${oid?.slice(1)}050004${length}`, 'hex'),
    digest,
  ]);
}

/** RFC 8017 section 9.1.1, with a salt as long as the digest. */
function pssEncode(digest: Buffer, hash: Hash, bits: number): Buffer {
  const salt = randomBytes(digest.length);
  const h = createHash(hash).update(Buffer.alloc(8)).update(digest).update(salt).digest();
  const length = Math.ceil(bits / 8) - h.length - 1;
  const block = Buffer.concat([Buffer.alloc(length - salt.length - 1), Buffer.from([1]), salt]);
  const masked = xor(block, mgf1(h, length, hash));
  masked[0] = (masked[0] ?? 0) & (0xff >> (8 * Math.ceil(bits / 8) - bits));
  return Buffer.concat([masked, h, Buffer.from([0xbc])]);
}

function pssHolds(encoded: Buffer, digest: Buffer, hash: Hash, bits: number): boolean {
  const length = encoded.length - digest.length - 1;
  const h = encoded.subarray(length, -1);
  const block = xor(encoded.subarray(0, length), mgf1(h, length, hash));
  block[0] = (block[0] ?? 0) & (0xff >> (8 * encoded.length - bits));
  const salt = block.subarray(-digest.length);
  const padding = block.subarray(0, -digest.length);
  const whole = padding.at(-1) === 1 && padding.subarray(0, -1).every((byte) => byte === 0);
  const again = createHash(hash).update(Buffer.alloc(8)).update(digest).update(salt).digest();
  return whole && encoded.at(-1) === 0xbc && again.equals(h);
}

function mgf1(seed: Buffer, length: number, hash: Hash): Buffer {
  const parts: Buffer[] = [];
  for (let counter = 0; Buffer.concat(parts).length < length; counter++) {
    const number = Buffer.alloc(4);
    number.writeUInt32BE(counter);
    parts.push(createHash(hash).update(seed).update(number).digest());
  }
  return Buffer.concat(parts).subarray(0, length);
}

function xor(one: Buffer, other: Buffer): Buffer {
  return Buffer.from(one.map((byte, at) => byte ^ (other[at] ?? 0)));
}

/** FIPS 186-5 section 6.4.1: the point of the one-time number is a fresh key pair's. */
function signEcdsa(key: KeyObject, digest: Buffer): Buffer {
  const { d, order, name } = ecParts(key);
  const once = ecParts(generateKeyPairSync('ec', { namedCurve: name }).privateKey);
  const r = once.x % order;
  const s = (inverse(once.d, order) * (toNumber(digest, order) + r * d)) % order;
  const body = Buffer.concat([derInteger(r), derInteger(s)]);
  return Buffer.concat([Buffer.from(body.length < 128 ? [0x30, body.length] : [0x30, 0x81, body.length]), body]);
}

/** Who has the private key can find the one-time number again, and see whether its point is the signature's. */
function verifyEcdsa(key: KeyObject, digest: Buffer, signature: Buffer): boolean {
  const { d, order, name } = ecParts(key);
  const [r, s] = readDer(signature);
  if (r <= 0n || s <= 0n || r >= order || s >= order) return false;
  const once = (inverse(s, order) * (toNumber(digest, order) + r * d)) % order;
  const ecdh = createECDH(name);
  const bytes = Math.ceil(order.toString(16).length / 2);
  ecdh.setPrivateKey(once.toString(16).padStart(bytes * 2, '0'), 'hex');
  const point = ecdh.getPublicKey();
  return BigInt(`0x${point.subarray(1, 1 + bytes).toString('hex')}`) % order === r;
}

function ecParts(key: KeyObject): { d: bigint; x: bigint; order: bigint; name: string } {
  const jwk = key.export({ format: 'jwk' });
  const found = CURVES.get(jwk.crv ?? '');
  if (found === undefined) throw new Error(`expected a NIST curve, found ${jwk.crv}`);
  const number = (text = '') => BigInt(`0x${Buffer.from(text, 'base64url').toString('hex')}`);
  return { d: number(jwk.d), x: number(jwk.x), order: found.order, name: found.name };
}

function toNumber(digest: Buffer, order: bigint): bigint {
  const surplus = digest.length * 8 - order.toString(2).length;
  const number = BigInt(`0x${digest.toString('hex')}`);
  return surplus > 0 ? number >> BigInt(surplus) : number;
}

function inverse(value: bigint, modulus: bigint): bigint {
  let [a, b, x, y] = [value % modulus, modulus, 1n, 0n];
  while (a > 1n) [a, b, x, y] = [b % a, a, y - (b / a) * x, x];
  return ((x % modulus) + modulus) % modulus;
}

function derInteger(value: bigint): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  const content = (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes;
  return Buffer.concat([Buffer.from([0x02, content.length]), content]);
}

function readDer(signature: Buffer): readonly [bigint, bigint] {
  const at = signature[1] === 0x81 ? 3 : 2;
  const end = at + 2 + (signature[at + 1] ?? 0);
  const number = (bytes: Buffer) => BigInt(`0x${bytes.toString('hex')}`);
  return [number(signature.subarray(at + 2, end)), number(signature.subarray(end + 2))];
}
