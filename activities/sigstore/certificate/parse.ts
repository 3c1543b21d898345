import { X509Certificate } from '@sigstore/core';
import { isReadable } from '../key/der-effort.ts';

/** Parses a certificate, with a bounded effort; throws where it is none. */
export function parseCertificate(der: Uint8Array): X509Certificate {
  if (!isReadable(der)) throw new TypeError('expected a certificate, found DER that would take too long to read');
  return X509Certificate.parse(Buffer.from(der));
}
