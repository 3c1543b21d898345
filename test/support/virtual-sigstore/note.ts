import { sign } from 'node:crypto';
import { createKeyPair, type KeyPair, sha256 } from './key-pair.ts';

/** What stands above the signatures of a checkpoint (C2SP tlog-checkpoint). */
export interface CheckpointBody {
  readonly origin: string;
  readonly size: number | bigint;
  readonly root: Uint8Array;
  readonly extensions?: readonly string[];
}

/** Who signs notes: the name in the signature line and the first four bytes that name the key. */
export interface NoteSigner {
  readonly name: string;
  readonly key: KeyPair;
  readonly keyId: Buffer;
}

export function checkpointText({ origin, size, root, extensions = [] }: CheckpointBody): string {
  return [origin, size, Buffer.from(root).toString('base64'), ...extensions].map((line) => `${line}\n`).join('');
}

/** A signature line of a signed note (C2SP signed-note). */
export function signatureLine(name: string, keyId: Uint8Array, signature: Uint8Array): string {
  return `\u2014 ${name} ${Buffer.concat([keyId.subarray(0, 4), signature]).toString('base64')}\n`;
}

/** A signed note: the text, an empty line, signature lines. */
export function signNote(text: string, signers: readonly NoteSigner[]): string {
  const lines = signers.map(({ name, key, keyId }) => signatureLine(name, keyId, key.sign(Buffer.from(text))));
  return `${text}\n${lines.join('')}`;
}

/** Key id of Ed25519 keys in notes: over name, algorithm byte and key. 1 is Ed25519, 4 a witness's cosignature. */
export function noteKeyId(name: string, algorithm: 1 | 4, key: KeyPair): Buffer {
  return sha256(`${name}\n`, Buffer.from([algorithm]), rawEd25519(key));
}

/** Somebody who co-signs checkpoints (C2SP tlog-cosignature). */
export interface VirtualWitness {
  readonly name: string;
  readonly key: KeyPair;
  /** The signature line over a checkpoint's text. */
  cosign(text: string, time: Date): string;
}

export function createWitness(name: string): VirtualWitness {
  const key = createKeyPair('Ed25519');
  return {
    name,
    key,
    cosign(text, time) {
      const seconds = BigInt(Math.floor(time.getTime() / 1000));
      const timestamp = Buffer.alloc(8);
      timestamp.writeBigUInt64BE(seconds);
      const message = Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`);
      const signature = sign(null, message, key.privateKey);
      return signatureLine(name, noteKeyId(name, 4, key), Buffer.concat([timestamp, signature]));
    },
  };
}

function rawEd25519(key: KeyPair): Buffer {
  return key.spki.subarray(-32);
}
