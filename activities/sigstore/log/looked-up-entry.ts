/** An entry that a look-up found: what a bundle's `tlogEntries` would have held, as protobuf JSON. */
export type FoundEntry = Readonly<Record<string, unknown>>;

/** What a log is asked for: the entry over these bytes by this key or certificate. */
export interface EntryQuestion {
  /** SHA-256 of the signed bytes, hex. */
  readonly artefactHash: string;
  /** The signature, base64. */
  readonly signature: string;
  /** PEM of the certificate or public key. */
  readonly verifier: string;
  /** The DSSE envelope as JSON, where the signature is one: logs know those by the envelope and not by the bytes it signs. */
  readonly envelope?: string;
}
