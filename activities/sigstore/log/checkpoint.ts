import { createHash, type KeyObject, verify } from 'node:crypto';
import { MAX_CHECKPOINT_LENGTH, MAX_CHECKPOINT_SIGNATURES } from '../../limits.ts';
import { decodeBase64 } from '../../text/base64.ts';
import type { Witness } from '../requirement/witness.ts';

/** A log's statement of how large its tree is and what its root is (C2SP tlog-checkpoint), with its signatures unjudged. */
export interface Checkpoint {
  /** Rekor v1: `<host> - <tree id>`; Rekor v2: the log's name. */
  readonly origin: string;
  readonly treeSize: bigint;
  /** 32 bytes. */
  readonly rootHash: Buffer;
  /** What the signatures are over: all before the empty line, with the newline at its end. */
  readonly signedText: string;
  readonly signatures: readonly NoteSignature[];
}

/** One signature line of a signed note. */
export interface NoteSignature {
  readonly name: string;
  /** Four bytes that name the key; a hint, never a proof. */
  readonly keyId: Buffer;
  readonly signature: Buffer;
}

const ED25519 = 0x01;
const ED25519_COSIGNATURE = 0x04;
/** C2SP signed-note: a kind of key without a number of its own, followed by its name (rekor-tiles `pkg/note/note.go`). */
const RSA = Buffer.from('\u00ffPKIX-RSA-PKCS#1v1.5', 'latin1');
/** A log signs a checkpoint once. Each line that claims to be by its key costs a verification. */
const MAX_LINES_OF_KEY = 2;
const SEPARATOR = '\n\n';
const SIGNATURE_LINE = /^\u2014 ([^\s+]{1,255}) ([A-Za-z0-9+/]+={0,2})$/u;
/** Below 2^63, as every log counts; no leading zero. */
const TREE_SIZE = /^(?:0|[1-9][0-9]{0,17})$/;

/**
 * Parses a checkpoint: a signed note (C2SP signed-note) whose text is a tree head. Everything that the format does not
 * allow is `undefined`, a form that the format allows and no log writes included: a size of over 18 digits.
 */
export function parseCheckpoint(note: string): Checkpoint | undefined {
  if (note.length > MAX_CHECKPOINT_LENGTH || !note.isWellFormed() || hasControlCharacters(note)) return undefined;
  // Text lines are never empty, so there is only one empty line: no two readers can split the note differently.
  const [text, below, ...more] = note.split(SEPARATOR);
  if (text === undefined || below === undefined || more.length > 0) return undefined;
  const signatures = parseSignatures(below);
  const [origin = '', size = '', root = '', ...extensions] = text.split('\n');
  const rootHash = decodeBase64(root);
  if (signatures === undefined || origin === '' || !TREE_SIZE.test(size) || rootHash?.length !== 32) return undefined;
  if (extensions.includes('')) return undefined;
  return { origin, treeSize: BigInt(size), rootHash, signedText: `${text}\n`, signatures };
}

function parseSignatures(below: string): readonly NoteSignature[] | undefined {
  if (!below.endsWith('\n')) return undefined;
  const lines = below.slice(0, -1).split('\n');
  if (lines.length > MAX_CHECKPOINT_SIGNATURES) return undefined;
  const signatures = lines.map(parseSignature);
  if (!signatures.every((signature) => signature !== undefined)) return undefined;
  const lineCounts = Map.groupBy(signatures, ({ keyId }) => keyId.toString('hex'));
  return [...lineCounts.values()].every(({ length }) => length <= MAX_LINES_OF_KEY) ? signatures : undefined;
}

function parseSignature(line: string): NoteSignature | undefined {
  const [, name, base64] = SIGNATURE_LINE.exec(line) ?? [];
  const bytes = base64 === undefined ? undefined : decodeBase64(base64);
  if (name === undefined || bytes === undefined || bytes.length < 5) return undefined;
  return { name, keyId: bytes.subarray(0, 4), signature: bytes.subarray(4) };
}

/**
 * True when a signature of the checkpoint is by `key`: ECDSA, RSA PKCS#1 v1.5 or Ed25519. `name` is whose signature line
 * it has to be; `undefined` takes any, for Rekor v1 signs as whatever host it happens to run on.
 */
export function isSignedBy(checkpoint: Checkpoint, key: KeyObject, name: string | undefined): boolean {
  const message = Buffer.from(checkpoint.signedText);
  return checkpoint.signatures.some(
    (line) =>
      (name === undefined || line.name === name) &&
      keyIds(key, line.name).some((id) => id.equals(line.keyId)) &&
      holds(message, key, line.signature),
  );
}

/** What a key may be called in a signature line: by its SPKI alone (Rekor v1, ECDSA everywhere), or by name, kind and key (C2SP). */
function keyIds(key: KeyObject, name: string): readonly Buffer[] {
  const spki = key.export({ type: 'spki', format: 'der' });
  const plain = sha256(spki).subarray(0, 4);
  if (key.asymmetricKeyType === 'ed25519') return [plain, noteKeyId(name, ED25519, key)];
  if (key.asymmetricKeyType === 'rsa') return [plain, sha256(`${name}\n`, RSA, spki).subarray(0, 4)];
  return [plain];
}

function holds(message: Buffer, key: KeyObject, signature: Buffer): boolean {
  try {
    switch (key.asymmetricKeyType) {
      case 'ed25519':
        return verify(null, message, key, signature);
      case 'rsa':
        return verify('sha256', message, key, signature);
      case 'ec':
        return ecdsaHashes(key).some((hash) => verify(hash, message, key, signature));
      default:
        return false;
    }
  } catch {
    return false;
  }
}

/** Rekor v1 takes SHA-256 for every curve, Rekor v2 what fits the curve. */
function ecdsaHashes(key: KeyObject): readonly string[] {
  switch (key.asymmetricKeyDetails?.namedCurve) {
    case 'secp384r1':
      return ['sha384', 'sha256'];
    case 'secp521r1':
      return ['sha512', 'sha256'];
    default:
      return ['sha256'];
  }
}

/**
 * How many of the witnesses co-signed the checkpoint (C2SP tlog-cosignature, Ed25519). One key counts once, under however
 * many names; what is no checkpoint has none. Whether the log signed it is not asked here.
 */
export function countCosignatures(note: string, witnesses: readonly Witness[]): number {
  const checkpoint = parseCheckpoint(note);
  if (checkpoint === undefined) return 0;
  const cosigned = witnesses.filter((witness) => hasCosigned(checkpoint, witness));
  return new Set(cosigned.map(({ publicKey }) => rawKey(publicKey).toString('hex'))).size;
}

function hasCosigned(checkpoint: Checkpoint, { name, publicKey }: Witness): boolean {
  if (publicKey.asymmetricKeyType !== 'ed25519') return false;
  const keyId = noteKeyId(name, ED25519_COSIGNATURE, publicKey);
  return checkpoint.signatures.some(
    (line) =>
      line.name === name &&
      line.keyId.equals(keyId) &&
      line.signature.length === 8 + 64 &&
      holds(cosignedMessage(checkpoint, line.signature), publicKey, line.signature.subarray(8)),
  );
}

/** The time that stands before the signature is part of what is signed. */
function cosignedMessage({ signedText }: Checkpoint, timestamped: Buffer): Buffer {
  return Buffer.from(`cosignature/v1\ntime ${timestamped.readBigUInt64BE(0)}\n${signedText}`);
}

function noteKeyId(name: string, kind: number, key: KeyObject): Buffer {
  return sha256(`${name}\n`, Buffer.from([kind]), rawKey(key)).subarray(0, 4);
}

/** The 32 bytes of an Ed25519 key: the end of its SPKI (RFC 8410 section 4). */
function rawKey(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' }).subarray(-32);
}

function sha256(...parts: readonly (string | Uint8Array)[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** Control characters other than the newline are not allowed (C2SP signed-note). */
function hasControlCharacters(note: string): boolean {
  for (let index = 0; index < note.length; index++) {
    const code = note.charCodeAt(index);
    if (code < 0x20 && code !== 0x0a) return true;
  }
  return false;
}
