import { verify } from 'node:crypto';
import type { TransparencyLogEntry } from '@sigstore/bundle';
import { json } from '@sigstore/core';
import type { TrustMaterial } from '@sigstore/verify';

/**
 * Tells whether a log's promise (SET, Rekor `openapi.yaml`) holds: its signature over the canonical JSON of body, time,
 * index and log. `@sigstore/verify` does this for the kinds of entries that it knows; this is for the one it does not.
 */
export function promiseHolds(entry: TransparencyLogEntry, logs: TrustMaterial['tlogs']): boolean {
  const { canonicalizedBody, integratedTime, logIndex, logId, inclusionPromise } = entry;
  if (inclusionPromise === undefined) return false;
  const promised = {
    body: canonicalizedBody.toString('base64'),
    integratedTime: Number(integratedTime),
    logIndex: Number(logIndex),
    logID: logId.keyId.toString('hex'),
  };
  const bytes = Buffer.from(json.canonicalize(promised));
  return logs.some(({ publicKey }) => {
    const hash = publicKey.asymmetricKeyType === 'ed25519' ? null : 'sha256';
    try {
      return verify(hash, bytes, publicKey, inclusionPromise.signedEntryTimestamp);
    } catch {
      return false; // what OpenSSL can't parse is no signature
    }
  });
}
