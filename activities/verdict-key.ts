import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { preAuthEncoding } from '../workflows/dsse.ts';
import type { Envelope } from '../workflows/verdict.ts';
import { EvidenceError } from './evidence-error.ts';

/** The key with which a worker signs what nodes believe. */
export interface VerdictKey {
  /** Hex SHA-256 of the public key's SPKI. */
  readonly keyId: string;
  /** Signs a payload as a DSSE envelope (secure-systems-lab/dsse, protocol.md). Throws KEY_UNREADABLE. */
  sign(payloadType: string, payload: Uint8Array): Promise<Envelope>;
}

/** Reads a PEM private key (ECDSA P-256 or Ed25519) that nobody but its owner may read. Throws with what to do. */
export async function loadVerdictKey(file: string): Promise<VerdictKey> {
  const mode = (await stat(file)).mode & 0o077;
  if (mode !== 0) throw new Error(`verdict key: expected ${file} to be readable by its owner only; chmod 600 ${file}`);
  return toVerdictKey(parsePrivateKey(await readFile(file, 'utf8'), file));
}

function parsePrivateKey(pem: string, file: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    const curve = key.asymmetricKeyDetails?.namedCurve;
    if (key.asymmetricKeyType === 'ed25519' || (key.asymmetricKeyType === 'ec' && curve === 'prime256v1')) return key;
  } catch {
    // told below: the library's own text could quote the key
  }
  throw new Error(
    `verdict key: expected an unencrypted PEM private key, ECDSA P-256 or Ed25519, in ${file}; make one with "portcullis keys init"`,
  );
}

function toVerdictKey(key: KeyObject): VerdictKey {
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const keyId = createHash('sha256').update(spki).digest('hex');
  const algorithm = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  return {
    keyId,
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
  const fresh = { flag: 'wx' } as const;
  for (const file of [privateFile, publicFile]) {
    const there = await stat(file).catch(() => undefined);
    if (there !== undefined)
      throw new Error(`keys: ${file} is there already and is left alone; choose another directory`);
  }
  await writeFile(privateFile, privateKey.export({ type: 'pkcs8', format: 'pem' }), { ...fresh, mode: 0o600 });
  await writeFile(publicFile, publicKey.export({ type: 'spki', format: 'pem' }), { ...fresh, mode: 0o644 });
}
