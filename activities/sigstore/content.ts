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
  /** `dev.cosignproject.cosign/signature`: base64. */
  readonly signature?: string;
  /** `dev.sigstore.cosign/certificate`: PEM. */
  readonly certificate?: string;
  /** `dev.sigstore.cosign/chain`: PEM; never an anchor. */
  readonly chain?: string;
  /** `dev.sigstore.cosign/bundle`: JSON with the SET and the entry. */
  readonly bundle?: string;
  /** `dev.sigstore.cosign/rfc3161timestamp`: JSON. */
  readonly timestamp?: string;
}
