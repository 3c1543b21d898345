/** An OCI digest: `sha256:` and 64 lower-case hex digits. Made only by {@link parseDigest}. */
export type Digest = string & { readonly __digest: unique symbol };

const SHA256 = /^sha256:[0-9a-f]{64}$/;

/**
 * Parses a digest (OCI image spec, "Digests"). Only sha256 is accepted: it is the one algorithm that
 * every signer and registry in use writes, and a second one would make "the same image" ambiguous.
 */
export function parseDigest(text: string): Digest | undefined {
  // The cast is the proof: a Digest exists only behind this test.
  return SHA256.test(text) ? (text as Digest) : undefined;
}

/** The hex half of a digest. */
export function digestHex(digest: Digest): string {
  return digest.slice('sha256:'.length);
}
