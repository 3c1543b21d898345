import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { constants } from 'node:fs';
import { open, stat, writeFile } from 'node:fs/promises';
import { preAuthEncoding } from '../../workflows/format/dsse.ts';
import type { Envelope } from '../../workflows/verdict/verdict.ts';
import { EvidenceError } from '../evidence-error.ts';
import { MAX_VERDICT_KEY_BYTES } from '../limits.ts';
import { requireOwner } from '../own-folder.ts';

/** The key with which a worker signs what nodes believe. */
export interface VerdictKey {
  /** Hex SHA-256 of the public key's SPKI. */
  readonly keyId: string;
  readonly publicKey: KeyObject;
  /** Signs a payload as a DSSE envelope (secure-systems-lab/dsse, protocol.md). Throws KEY_UNREADABLE. */
  sign(payloadType: string, payload: Uint8Array): Promise<Envelope>;
}

/**
 * Reads a PEM private key (ECDSA P-256 or Ed25519) that nobody but its owner may read. Throws with what to do, and
 * never with anything of what is in the file.
 */
export async function loadVerdictKey(file: string): Promise<VerdictKey> {
  return toVerdictKey(parsePrivateKey(await readPrivateFile(file), file));
}

async function readPrivateFile(path: string): Promise<Buffer> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = await file.stat();
    if (!found.isFile()) throw unusable(`expected a file at ${path}, found something else; name the key file`);
    requireOwner(path, found.uid);
    if ((found.mode & 0o077) !== 0) {
      const mode = (found.mode & 0o777).toString(8);
      throw unusable(`expected ${path} to be readable by its owner only, found mode ${mode}; run chmod 600 ${path}`);
    }
    const { bytesRead, buffer } = await file.read(Buffer.alloc(MAX_VERDICT_KEY_BYTES + 1));
    if (bytesRead <= MAX_VERDICT_KEY_BYTES) return buffer.subarray(0, bytesRead);
    throw unusable(`expected at most ${MAX_VERDICT_KEY_BYTES} bytes in ${path}, found more; name the key file`);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
    if (code === undefined) throw error;
    throw unusable(`expected to read ${path}, found ${code}; make a key with "portcullis keys init"`);
  }
}

function parsePrivateKey(pem: Buffer, file: string): KeyObject {
  const key = importPem(pem);
  const isP256 = key?.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
  if (key !== undefined && (isP256 || key.asymmetricKeyType === 'ed25519')) return key;
  const found = key === undefined ? 'none' : `another kind of key (${key.asymmetricKeyType})`;
  throw unusable(
    `expected an unencrypted PEM private key, ECDSA P-256 or Ed25519, in ${file}, found ${found}; make one with "portcullis keys init"`,
  );
}

function importPem(pem: Buffer): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    // The library's own text could quote the key.
    return undefined;
  }
}

function unusable(sentence: string): Error {
  return new Error(`verdict key: ${sentence}`);
}

function toVerdictKey(key: KeyObject): VerdictKey {
  const publicKey = createPublicKey(key);
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const keyId = createHash('sha256').update(spki).digest('hex');
  const algorithm = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  return {
    ...{ keyId, publicKey },
    async sign(payloadType, payload) {
      try {
        const sig = sign(algorithm, preAuthEncoding(payloadType, payload), key);
        return {
          payloadType,
          payload: Buffer.from(payload).toString('base64'),
          signatures: [{ keyid: keyId, sig: sig.toString('base64') }],
        };
      } catch (cause) {
        throw new EvidenceError('KEY_UNREADABLE', 'the verdict key did not sign', { retryable: true, cause });
      }
    },
  };
}

/** Makes a verdict key pair (ECDSA P-256, as KMS offers it too). Never overwrites: throws when a file is there. */
export async function createVerdictKey(privateFile: string, publicFile: string): Promise<void> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  for (const file of [privateFile, publicFile]) await requireAbsent(file);
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  await writeFile(privateFile, pem, { flag: 'wx', mode: 0o600 });
  await writePublicKey(publicFile, publicKey);
}

/** Throws when a file is there: it may be the key that nodes believe. */
export async function requireAbsent(file: string): Promise<void> {
  const there = await stat(file).catch(() => undefined);
  if (there !== undefined)
    throw new Error(`keys: ${file} is there already and is left alone; choose another directory`);
}

/** Writes the half of a verdict key that nodes get, as PEM. Never overwrites. */
export async function writePublicKey(file: string, publicKey: KeyObject): Promise<void> {
  await writeFile(file, publicKey.export({ type: 'spki', format: 'pem' }), { flag: 'wx', mode: 0o644 });
}
