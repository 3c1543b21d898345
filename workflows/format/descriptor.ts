import { type Digest, parseDigest } from './digest.ts';

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

/** Reads a descriptor that Temporal carried; `undefined` for anything else. */
export function parseDescriptor(value: unknown): Descriptor | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { mediaType, digest, size } = value as { [K in keyof Descriptor]?: unknown };
  const parsed = parseDigest(String(digest));
  if (typeof mediaType !== 'string' || parsed === undefined || typeof size !== 'number') return undefined;
  return { mediaType, digest: parsed, size };
}
