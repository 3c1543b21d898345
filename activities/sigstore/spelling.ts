import { isRecord } from '../../workflows/record.ts';
import { decodeBase64 } from './base64.ts';

/** The members of a bundle's verification material that hold bytes (protobuf-specs `sigstore_bundle.proto` and what it imports). */
const BYTES: ReadonlySet<string> = new Set([
  'rawBytes',
  'keyId',
  'signedEntryTimestamp',
  'rootHash',
  'hashes',
  'canonicalizedBody',
  'signedTimestamp',
]);

/**
 * The first member of verification material whose bytes are not in canonical base64; `undefined` where all are.
 * `@sigstore/bundle` skips what is not base64, so that one entry, certificate or timestamp would have many spellings.
 */
export function misspelt(material: unknown): string | undefined {
  if (Array.isArray(material)) return first(material, misspelt);
  if (!isRecord(material)) return undefined;
  return first(Object.entries(material), ([name, value]) => {
    if (!BYTES.has(name)) return misspelt(value);
    const texts: readonly unknown[] = Array.isArray(value) ? value : [value];
    return texts.every((text) => typeof text !== 'string' || decodeBase64(text) !== undefined) ? undefined : name;
  });
}

function first<T>(values: readonly T[], find: (value: T) => string | undefined): string | undefined {
  for (const value of values) {
    const found = find(value);
    if (found !== undefined) return found;
  }
  return undefined;
}
