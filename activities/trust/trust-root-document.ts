import type { TrustedRoot } from '@sigstore/protobuf-specs';

/** A sigstore `TrustRoot` as it stands in its file, validated. */
export interface TrustRootDocument {
  readonly name: string;
  readonly source: TrustRootSource;
}

export type TrustRootSource =
  /** `spec.sigstoreKeys`, or a `trusted_root.json` file. */
  | { readonly kind: 'keys'; readonly root: TrustedRoot }
  /** `spec.repository`: a TUF repository in the document itself. */
  | {
      readonly kind: 'repository';
      /** The initial root.json. */
      readonly root: Uint8Array;
      /** Files of the mirror by path. */
      readonly files: ReadonlyMap<string, Uint8Array>;
      readonly target: string;
    }
  /** `spec.remote`: a TUF repository that is asked over the network. */
  | { readonly kind: 'remote'; readonly root: Uint8Array; readonly mirror: URL; readonly target: string };
