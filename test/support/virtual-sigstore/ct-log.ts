import { createKeyPair, type KeyPair, sha256 } from './key-pair.ts';

/** A signed certificate timestamp, as it is embedded (RFC 6962 3.3). */
export interface Sct {
  readonly bytes: Buffer;
}

/** A certificate transparency log: all it has to do is sign. */
export interface CtLog {
  readonly key: KeyPair;
  /** SHA-256 of its key. */
  readonly id: Buffer;
  /** Signs a precertificate: the TBS without SCTs, and the key of its issuer. */
  sign(tbs: Uint8Array, issuerSpki: Uint8Array, time: Date): Sct;
}

export function createCtLog(key = createKeyPair()): CtLog {
  const id = sha256(key.spki);
  return { key, id, sign: (tbs, issuerSpki, time) => ({ bytes: signSct(key, id, tbs, issuerSpki, time) }) };
}

function signSct(key: KeyPair, id: Buffer, tbs: Uint8Array, issuerSpki: Uint8Array, time: Date): Buffer {
  const timestamp = Buffer.alloc(8);
  timestamp.writeBigUInt64BE(BigInt(time.getTime()));
  const noExtensions = Buffer.alloc(2);
  const signed = Buffer.concat([
    Buffer.from([0, 0]), // v1, certificate_timestamp
    timestamp,
    Buffer.from([0, 1]), // precert_entry
    sha256(issuerSpki),
    Buffer.from([tbs.length >> 16, (tbs.length >> 8) & 0xff, tbs.length & 0xff]),
    tbs,
    noExtensions,
  ]);
  const signature = key.sign(signed);
  const head = Buffer.from([4, 3, signature.length >> 8, signature.length & 0xff]); // SHA-256, ECDSA
  return Buffer.concat([Buffer.from([0]), id, timestamp, noExtensions, head, signature]);
}
