/** One piece of evidence as it was fetched, its bytes checked against their digest and not judged yet. */
export type SignatureContent =
  /** A Sigstore bundle, versions 0.1 to 0.3. */
  | { readonly format: 'bundle'; readonly bundle: Uint8Array }
  /** A layer of cosign's `.sig` tag, or of its experimental OCI 1.1 signature. */
  | { readonly format: 'simple-signing'; readonly payload: Uint8Array; readonly annotations: LayerAnnotations }
  /** A layer of cosign's `.att` tag: a DSSE envelope. */
  | { readonly format: 'envelope'; readonly envelope: Uint8Array; readonly annotations: LayerAnnotations };

/** What stands beside a legacy payload (cosign v2 `pkg/oci/static/signature.go`); absent and empty are the same. */
export interface LayerAnnotations {
  /** Base64, as `base64.ts` reads it. */
  readonly signature?: string;
  /** PEM. */
  readonly certificate?: string;
  /** PEM; never an anchor. */
  readonly chain?: string;
  /** JSON with the SET and the entry. */
  readonly bundle?: string;
  /** JSON. */
  readonly timestamp?: string;
}

/** The annotations of cosign that hold them (cosign v2 `pkg/oci/static`). */
export const ANNOTATIONS = {
  signature: 'dev.cosignproject.cosign/signature',
  certificate: 'dev.sigstore.cosign/certificate',
  chain: 'dev.sigstore.cosign/chain',
  bundle: 'dev.sigstore.cosign/bundle',
  timestamp: 'dev.sigstore.cosign/rfc3161timestamp',
} as const satisfies Record<keyof LayerAnnotations, string>;
