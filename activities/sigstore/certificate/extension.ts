import { ASN1Obj, type X509Certificate } from '@sigstore/core';

/** Text of a certificate, strict: bytes that are not UTF-8 are no text. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const UTF8_STRING = 0x0c;

/** The value of an extension, the content of its OCTET STRING; `undefined` where the certificate has none of that OID. */
export function extensionValue(certificate: X509Certificate, oid: string): Buffer<ArrayBuffer> | undefined {
  const extension = certificate.extension(oid);
  return extension === undefined ? undefined : Buffer.from(extension.value);
}

/**
 * The text of a Fulcio extension (Fulcio `docs/oid-info.md`): the first seven OIDs hold it bare, those from .8 on as a
 * DER UTF8String, of which tag and length have to be right. `undefined` where there is none; throws where it is broken.
 */
export function extensionText(certificate: X509Certificate, oid: string): string | undefined {
  const value = extensionValue(certificate, oid);
  if (value === undefined) return undefined;
  return decodeText(Number(oid.slice(oid.lastIndexOf('.') + 1)) < 8 ? value : utf8StringIn(value));
}

/** Decodes text, and throws where it isn't any, or holds what moves a cursor: no issuer, subject or claim has that. */
export function decodeText(bytes: Uint8Array): string {
  const text = decoder.decode(bytes);
  if (/\p{Cc}/u.test(text)) throw new TypeError('expected text, found control characters');
  return text;
}

function utf8StringIn(der: Buffer<ArrayBuffer>): Buffer {
  const parsed = ASN1Obj.parseBuffer(der);
  const isCanonical = der[0] === UTF8_STRING && new ASN1Obj(parsed.tag, parsed.value, []).toDER().equals(der);
  if (!isCanonical) throw new TypeError('expected a UTF8String in DER');
  return parsed.value;
}

/** OIDs of the certificate's extensions, in their order, and whether each is critical. */
export function extensionsOf(
  certificate: X509Certificate,
): readonly { readonly oid: string; readonly critical: boolean }[] {
  return certificate.extensions.map((extension) => {
    const [oid, second] = extension.subs;
    return { oid: oid?.toOID() ?? '', critical: second?.tag.isBoolean() === true && second.toBoolean() };
  });
}
