import { decodeBase64 } from '../../text/base64.ts';
import { type Field, readText, reject } from '../../yaml/field.ts';

/** Reads bytes as Kubernetes writes them: standard base64, which may be broken into lines. */
export function readBase64(field: Field): Buffer | undefined {
  const text = readText(field);
  if (text === undefined) return undefined;
  const bytes = decodeBase64(text.replaceAll(/\s/g, ''));
  if (bytes !== undefined && bytes.length > 0) return bytes;
  const found = /^\s*(?:-----BEGIN|\{)/.test(text) ? 'the text itself' : 'other text';
  return reject(field, `expected base64, found ${found}; write the output of base64`);
}
