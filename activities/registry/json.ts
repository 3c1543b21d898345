import { measureJson } from '../../workflows/format/json-effort.ts';
import { isRecord } from '../../workflows/format/record.ts';
import { MAX_MANIFEST_TOKENS } from '../limits.ts';

/** Deeper than any manifest: an index nests 4 levels. */
const MAX_DEPTH = 64;

/** Parses UTF-8 JSON whose top is an object; `undefined` for everything else, and for what would cost too much. */
export function parseJsonObject(
  bytes: Uint8Array,
  maxTokens: number = MAX_MANIFEST_TOKENS,
): Readonly<Record<string, unknown>> | undefined {
  const object = parseBoundedObject(bytes, maxTokens);
  return object === 'excessive' ? undefined : object;
}

/** The same, but tells what was not parsed because it has more than `maxTokens` values and names. */
export function parseBoundedObject(
  bytes: Uint8Array,
  maxTokens: number,
): Readonly<Record<string, unknown>> | 'excessive' | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const effort = measureJson(text, maxTokens, MAX_DEPTH);
    if (effort === 'too many tokens') return 'excessive';
    if (effort === 'too deep') return undefined;
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
