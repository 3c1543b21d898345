/** What the other end did against HTTP. */
export type HttpFaultCode = 'STATUS_UNKNOWN' | 'ENCODING_TOO_DEEP' | 'ENCODING_OVERHEAD';

/** An answer that is not HTTP, found by us and not by the parser. */
export class HttpFault extends Error {
  override readonly name = 'HttpFault';
  readonly code: HttpFaultCode;

  constructor(code: HttpFaultCode) {
    super(`the answer is not valid HTTP (${code})`);
    this.code = code;
  }
}

/** What OpenSSL and Node call a certificate that they do not accept (`X509_verify_cert_error_string`, `node:tls`). */
const UNTRUSTED =
  /^(?:UNABLE_TO_(?:GET|VERIFY|DECRYPT|DECODE)_|SELF_SIGNED_|DEPTH_ZERO_SELF_|CERT_|INVALID_(?:CA|PURPOSE)|HOSTNAME_MISMATCH|ERR_TLS_CERT_)/;

/** Whether an error code of a connection says that the certificate of the other end is not trusted. */
export function isUntrusted(code: string): boolean {
  return UNTRUSTED.test(code);
}

/** Completes a sentence about such an end. */
export function untrustedWords(code: string): string {
  return `the certificate is not trusted (${code}); check it, and name a private authority in NODE_EXTRA_CA_CERTS`;
}
