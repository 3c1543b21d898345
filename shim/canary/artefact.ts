import { createHash, randomBytes } from 'node:crypto';
import { type Digest, parseDigest } from '../../workflows/format/digest.ts';

/** An image that nobody has ever seen: one file of random bytes. */
export interface CanaryImage {
  /** Of its manifest. */
  readonly digest: Digest;
  readonly manifest: Uint8Array;
  /** Layer and configuration, by digest. */
  readonly blobs: ReadonlyMap<string, Uint8Array>;
}

export const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';

/** Makes an image (OCI image spec 1.1) for this machine. */
export function createCanaryImage(): CanaryImage {
  const layer = tarOf('canary', randomBytes(32));
  const config = json({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [sha256(layer)] },
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: [descriptor('application/vnd.oci.image.layer.v1.tar', layer)],
  });
  const blobs = new Map([layer, config].map((bytes) => [String(sha256(bytes)), bytes]));
  return { digest: sha256(manifest), manifest, blobs };
}

function descriptor(mediaType: string, bytes: Uint8Array) {
  return { mediaType, digest: sha256(bytes), size: bytes.length };
}

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function sha256(bytes: Uint8Array): Digest {
  const digest = parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
  if (digest === undefined) throw new Error('a SHA-256 is always a digest');
  return digest;
}

const BLOCK = 512;

/** A tar archive (POSIX ustar) with one file of less than a block. */
function tarOf(name: string, content: Uint8Array): Buffer {
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`;
  header.write(name, 0);
  for (const [offset, text] of [
    [100, octal(0o444, 7)],
    [108, octal(0, 7)],
    [116, octal(0, 7)],
    [124, octal(content.length, 11)],
    [136, octal(0, 11)],
    [148, ' '.repeat(8)],
    [156, '0'],
    [257, 'ustar\u000000'],
  ] as const) {
    header.write(text, offset, 'latin1');
  }
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return Buffer.concat([header, content, Buffer.alloc(BLOCK - content.length), Buffer.alloc(2 * BLOCK)]);
}
