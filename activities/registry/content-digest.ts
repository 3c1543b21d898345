import { createHash } from 'node:crypto';
import { type Digest, parseDigest } from '../../workflows/digest.ts';

/** The sha256 digest of raw bytes. */
export function digestOf(content: Uint8Array): Digest {
  const digest = parseDigest(`sha256:${createHash('sha256').update(content).digest('hex')}`);
  if (digest === undefined) throw new Error('unreachable: a sha256 always parses as a digest');
  return digest;
}
