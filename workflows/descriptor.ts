import type { Digest } from './digest.ts';

/**
 * What containerd resolved (OCI image spec, "Descriptor"). Only `digest` can be trusted: media type and size come
 * from HTTP headers of whichever host answered, even when the name was pinned to a digest.
 */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes, as the registry said. */
  readonly size: number;
}
