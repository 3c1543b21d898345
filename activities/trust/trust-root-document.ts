import type { TrustedRoot } from '@sigstore/protobuf-specs';

/** A sigstore `TrustRoot` as it stands in its file, validated. */
export interface TrustRootDocument {
  readonly name: string;
  readonly source: TrustRootSource;
}

export type TrustRootSource =
  /** `spec.sigstoreKeys`, `spec.trustedRootJSON`, or a `trusted_root.json` file. */
  | { readonly kind: 'keys'; readonly root: TrustedRoot; readonly origins?: LogOrigins }
  /** `spec.repository`: a TUF repository in the document itself. */
  | {
      readonly kind: 'repository';
      /** The initial root.json. */
      readonly root: Uint8Array;
      /** Files of the mirror by path; those of the targets begin with `targets/`. */
      readonly files: ReadonlyMap<string, Uint8Array>;
      readonly target: string;
    }
  /** `spec.remote`: a TUF repository that is asked over the network. */
  | {
      readonly kind: 'remote';
      readonly root: Uint8Array;
      readonly mirror: URL;
      /** Where targets live below the mirror; `targets` when absent. */
      readonly targets?: string;
      readonly target: string;
    };

/**
 * Names under which logs sign checkpoints, by the log's place among `tlogs`, where its `baseUrl` does not hold that name:
 * a private Rekor v1 signs as the host name of its pod unless it is told otherwise.
 */
export type LogOrigins = ReadonlyMap<number, string>;

/** The target of a TUF repository that holds the trusted root, unless a document names another. */
export const TRUSTED_ROOT_TARGET = 'trusted_root.json';
