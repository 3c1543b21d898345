import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { type Digest, parseDigest } from '../../workflows/format/digest.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';

export interface ImageOptions {
  /** `host:port` of a registry that speaks plain HTTP. */
  readonly registry: string;
  readonly repository: string;
  readonly tag: string;
  /** Path in the image to text; without, a file that names repository and tag. Other files make another digest. */
  readonly files?: Readonly<Record<string, string>>;
}

export interface PushedImage {
  readonly digest: Digest;
  /** `registry/repository:tag` */
  readonly name: string;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
}

/**
 * Builds an image of one small layer for this machine's processor and pushes it, as the OCI image and distribution
 * specifications 1.1 describe. The same options make the same digest.
 */
export async function pushImage(options: ImageOptions): Promise<PushedImage> {
  const manifest = await pushParts(options);
  return pushManifest(options, options.tag, MANIFEST, manifest);
}

/** Pushes the same image behind an index, as multi-platform images are; the digest is that of the index. */
export async function pushIndex(options: ImageOptions): Promise<PushedImage & { readonly manifest: Digest }> {
  const content = await pushParts(options);
  const manifest = describe(MANIFEST, content);
  await pushManifest(options, manifest.digest, MANIFEST, content);
  const index = { schemaVersion: 2, mediaType: INDEX, manifests: [{ ...manifest, platform: platform() }] };
  const pushed = await pushManifest(options, options.tag, INDEX, Buffer.from(JSON.stringify(index)));
  return { ...pushed, manifest: manifest.digest };
}

/** Pushes what an image consists of, and returns its manifest, which is not pushed yet. */
async function pushParts(options: ImageOptions): Promise<Buffer> {
  const tar = tarOf(options.files ?? { 'etc/motd': `${options.repository}:${options.tag}\n` });
  const layer = await pushBlob(options, LAYER, gzipSync(tar));
  const rootfs = { type: 'layers', diff_ids: [sha256(tar)] };
  const config = Buffer.from(JSON.stringify({ ...platform(), config: {}, rootfs }));
  const described = await pushBlob(options, CONFIG, config);
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config: described, layers: [layer] }));
}

async function pushManifest(to: ImageOptions, reference: string, mediaType: string, content: Buffer) {
  const url = `http://${to.registry}/v2/${to.repository}/manifests/${reference}`;
  await send(url, { method: 'PUT', body: new Uint8Array(content), headers: { 'content-type': mediaType } }, 201);
  return { digest: sha256(content), name: `${to.registry}/${to.repository}:${to.tag}` };
}

/** The upload in two steps, POST then PUT, which every registry has. */
async function pushBlob(to: ImageOptions, mediaType: string, content: Buffer): Promise<Descriptor> {
  const descriptor = describe(mediaType, content);
  const begun = await send(`http://${to.registry}/v2/${to.repository}/blobs/uploads/`, { method: 'POST' }, 202);
  const location = new URL(begun.headers.get('location') ?? '', begun.url);
  location.searchParams.set('digest', descriptor.digest);
  const headers = { 'content-type': 'application/octet-stream' };
  await send(location.href, { method: 'PUT', body: new Uint8Array(content), headers }, 201);
  return descriptor;
}

async function send(url: string, request: RequestInit, expected: number): Promise<Response> {
  const response = await fetch(url, request);
  const body = await response.text();
  if (response.status === expected) return response;
  throw new Error(`${request.method} ${url}: expected ${expected}, found ${response.status}: ${body.slice(0, 200)}`);
}

function describe(mediaType: string, content: Buffer): Descriptor {
  return { mediaType, digest: sha256(content), size: content.byteLength };
}

function sha256(content: Uint8Array): Digest {
  const digest = parseDigest(`sha256:${createHash('sha256').update(content).digest('hex')}`);
  if (digest === undefined) throw new Error('expected a digest of SHA-256');
  return digest;
}

/** In Go's words, which image configs use. */
function platform() {
  return { architecture: process.arch === 'x64' ? 'amd64' : process.arch, os: 'linux' };
}

/** A tar archive in ustar format (POSIX.1-2001, pax) of small regular files, dated 1970. */
function tarOf(files: Readonly<Record<string, string>>): Buffer {
  const entries = Object.entries(files).flatMap(([path, text]) => {
    const content = Buffer.from(text);
    return [ustarHeader(path, content.byteLength), content, Buffer.alloc(-content.byteLength & 511)];
  });
  return Buffer.concat([...entries, Buffer.alloc(1024)]);
}

function ustarHeader(path: string, size: number): Buffer {
  if (Buffer.byteLength(path) > 100) throw new Error(`expected a path of at most 100 bytes, found ${path}`);
  const header = Buffer.alloc(512);
  const octal = (value: number, width: number) => `${value.toString(8).padStart(width - 1, '0')}\0`;
  header.write(path, 0);
  header.write(octal(0o644, 8), 100);
  header.write(octal(0, 8), 108);
  header.write(octal(0, 8), 116);
  header.write(octal(size, 12), 124);
  header.write(octal(0, 12), 136);
  header.write(' '.repeat(8), 148);
  header.write('0', 156);
  header.write('ustar\x0000', 257);
  const checksum = header.reduce((sum, byte) => sum + byte, 0);
  header.write(`${checksum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}
