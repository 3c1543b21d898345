import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Envelope } from '../../../workflows/verdict/verdict.ts';
import { parseEnvelope } from '../../verdict-keys/verdict-keys.ts';
import type { CacheKey } from './verdict-cache.ts';

/** A verdict is some KiB; a longer line is none. */
export const MAX_RECORD_BYTES = 64 * 1024;

/** What stands before the envelope, so that a segment can be indexed without reading its envelopes. */
export interface RecordHead {
  /** {@link keyHash} of what the envelope is about. */
  readonly hash: string;
  readonly goodUntilMs: number;
}

/** Names, digests and revisions as one short text. */
export function keyHash({ name, digest, policyRevision }: CacheKey): string {
  return createHash('sha256').update(`${name}\n${digest}\n${policyRevision}`).digest('base64url').slice(0, 22);
}

/** One line: a checksum over all that follows, the hash of the key, until when it is good, and the envelope as JSON. */
export function writeRecord({ hash, goodUntilMs }: RecordHead, envelope: Envelope): Buffer {
  const body = `${hash} ${goodUntilMs} ${JSON.stringify(envelope)}`;
  return Buffer.from(`${checksum(Buffer.from(body))} ${body}\n`);
}

/** `undefined` for a line that is damaged, cut off, or was never one of ours. */
export function readHead(line: Buffer): RecordHead | undefined {
  if (line.length > MAX_RECORD_BYTES || line.toString('latin1', 0, 8) !== checksum(line.subarray(9))) return undefined;
  const [, hash, until] = /^[0-9a-f]{8} ([\w-]{22}) (\d{1,15}) /.exec(line.toString('latin1', 0, 64)) ?? [];
  return hash === undefined ? undefined : { hash, goodUntilMs: Number(until) };
}

/** The envelope of a whole line about this key; `undefined` for any other line. */
export function readRecord(line: Buffer, hash: string): Envelope | undefined {
  if (readHead(line)?.hash !== hash) return undefined;
  const text = line.toString('utf8');
  try {
    return parseEnvelope(JSON.parse(text.slice(text.indexOf('{'))));
  } catch {
    return undefined;
  }
}

function checksum(bytes: Buffer): string {
  return crc32(bytes).toString(16).padStart(8, '0');
}
