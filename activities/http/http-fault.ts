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
