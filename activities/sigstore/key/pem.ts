import { MAX_CERTIFICATES } from '../../limits.ts';
import { readBase64 } from '../../text/base64.ts';

/** A certificate of Fulcio is 1 KiB of PEM, one with an ML-DSA key 8 KiB. */
const MAX_PEM_LENGTH = 256 * 1024;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[ \t]*\r?\n([A-Za-z0-9+/= \t\r\n]+)-----END CERTIFICATE-----\s*/y;

/** The certificates of a PEM text that holds nothing else, in DER; `undefined` for any other text. */
export function certificatesIn(pem: string): readonly Buffer[] | undefined {
  if (pem.length > MAX_PEM_LENGTH) return undefined;
  const text = pem.trimStart();
  const found: Buffer[] = [];
  let end = 0;
  while (end < text.length) {
    CERTIFICATE.lastIndex = end;
    const body = CERTIFICATE.exec(text)?.[1];
    const der = body === undefined ? undefined : readBase64(body);
    if (der === undefined || der.length === 0 || found.push(der) > MAX_CERTIFICATES) return undefined;
    end = CERTIFICATE.lastIndex;
  }
  return found.length > 0 ? found : undefined;
}
