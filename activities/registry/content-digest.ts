import { createHash, type Hash } from 'node:crypto';
import { type Digest, parseDigest } from '../../workflows/format/digest.ts';

/** The sha256 digest of raw bytes. */
export function digestOf(content: Uint8Array): Digest {
  return digestFrom(createHash('sha256').update(content));
}

/** The digest of a finished SHA-256. */
export function digestFrom(hash: Hash): Digest {
  const digest = parseDigest(`sha256:${hash.digest('hex')}`);
  if (digest === undefined) throw new Error('unreachable: a sha256 always parses as a digest');
  return digest;
}
