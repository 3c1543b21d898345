import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type Digest, parseDigest } from '../../workflows/format/digest.ts';
import { sha256 } from './registry-store.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
export const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
export const SIMPLE_SIGNING = 'application/vnd.dev.cosign.simplesigning.v1+json';
export const DSSE_ENVELOPE = 'application/vnd.dsse.envelope.v1+json';
export const SIGNATURE = 'dev.cosignproject.cosign/signature';

/** A repository that is written to, over the distribution API of whatever registry is at `address`. */
export interface Target {
  readonly address: string;
  readonly repository: string;
}

interface LayerFields {
  readonly mediaType: string;
  readonly digest?: string;
  readonly size?: number;
  readonly annotations?: Readonly<Record<string, unknown>>;
}

/** Pushes a small image that is like no other. */
export async function pushImage(target: Target, tag: string): Promise<Digest> {
  const config = await pushBlob(target, Buffer.from(JSON.stringify({ unique: randomBytes(8).toString('hex') })));
  const layers: readonly LayerFields[] = [];
  const described = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: config, size: 29 };
  return pushManifest(target, tag, { schemaVersion: 2, mediaType: MANIFEST, config: described, layers });
}

/** Pushes a bundle as cosign 3 does: a manifest with the image as its subject. */
export async function pushBundle(
  target: Target,
  image: Digest,
  bundle: Uint8Array,
  options: { readonly reference?: string; readonly predicateType?: string } = {},
) {
  const blob = await pushBlob(target, bundle);
  const layers = [{ mediaType: BUNDLE, digest: blob, size: bundle.byteLength }];
  const { reference, predicateType } = options;
  const manifest = await pushReferrer(target, image, {
    artifactType: BUNDLE,
    layers,
    ...(predicateType !== undefined && { annotations: { 'dev.sigstore.bundle.predicateType': predicateType } }),
    ...(reference !== undefined && { reference }),
  });
  return { manifest, blob };
}

/** Pushes a manifest that refers to an image, with any content. */
export async function pushReferrer(
  target: Target,
  subject: string | undefined,
  fields: {
    readonly artifactType?: string;
    readonly layers: readonly LayerFields[];
    readonly annotations?: Readonly<Record<string, string>>;
    readonly configType?: string;
    readonly reference?: string;
  },
): Promise<Digest> {
  const config = await pushBlob(target, Buffer.from('{}'));
  const manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    artifactType: fields.artifactType,
    config: { mediaType: fields.configType ?? 'application/vnd.oci.empty.v1+json', digest: config, size: 2 },
    layers: fields.layers,
    annotations: fields.annotations,
    subject: subject === undefined ? undefined : { mediaType: MANIFEST, digest: subject, size: 100 },
  };
  return pushManifest(target, fields.reference, manifest);
}

/** Pushes the referrers tag of an image, as clients do for registries without the API. */
export async function pushReferrersTag(target: Target, image: Digest, manifests: readonly string[]): Promise<Digest> {
  const entries = manifests.map((digest) => ({ mediaType: MANIFEST, digest, size: 100, artifactType: BUNDLE }));
  const index = { schemaVersion: 2, mediaType: INDEX, manifests: entries };
  return pushManifest(target, image.replace(':', '-'), index, INDEX);
}

/** Pushes a cosign 2 signature tag with one layer for each payload. */
export async function pushSignatureTag(
  target: Target,
  image: Digest,
  payloads: readonly Uint8Array[],
  signature = 'c2ln',
) {
  const annotations = { [SIGNATURE]: signature };
  const layers = payloads.map((content) => ({ mediaType: SIMPLE_SIGNING, content, annotations }));
  return pushCosignTag(target, `${image.replace(':', '-')}.sig`, layers);
}

/** Pushes an attestation tag as `cosign attest` does without bundles: one layer for each envelope. */
export async function pushAttestationTag(target: Target, image: Digest, envelopes: readonly TagLayer[], prefix = '') {
  const layers = envelopes.map((layer) => ({ mediaType: DSSE_ENVELOPE, ...layer }));
  return pushCosignTag(target, `${prefix}${image.replace(':', '-')}.att`, layers);
}

/** One layer of a cosign tag. */
export interface TagLayer {
  readonly content: Uint8Array;
  readonly mediaType?: string;
  readonly annotations?: Readonly<Record<string, unknown>>;
}

/** Pushes one of cosign's tags, with whatever layers. */
export async function pushCosignTag(target: Target, tag: string, contents: readonly TagLayer[]) {
  const config = await pushBlob(target, Buffer.from('{}'));
  const blobs = await Promise.all(contents.map(({ content }) => pushBlob(target, content)));
  const layers = contents.map(({ mediaType, content, annotations }, index) => ({
    mediaType,
    digest: blobs[index],
    size: content.byteLength,
    annotations,
  }));
  const described = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: config, size: 2 };
  const manifest = { schemaVersion: 2, mediaType: MANIFEST, config: described, layers };
  return { manifest: await pushManifest(target, tag, manifest), blobs };
}

/** Pushes an image index that lists manifests. */
export async function pushIndex(target: Target, tag: string, manifests: readonly string[]): Promise<Digest> {
  const entries = manifests.map((digest) => ({ mediaType: MANIFEST, digest, size: 100 }));
  return pushManifest(target, tag, { schemaVersion: 2, mediaType: INDEX, manifests: entries }, INDEX);
}

/** Pushes a manifest by tag, or by its digest. */
export async function pushManifest(
  target: Target,
  tag: string | undefined,
  manifest: unknown,
  mediaType = MANIFEST,
): Promise<Digest> {
  const body = typeof manifest === 'string' ? manifest : JSON.stringify(manifest);
  const digest = digestOf(Buffer.from(body));
  const url = `http://${target.address}/v2/${target.repository}/manifests/${tag ?? digest}`;
  const response = await fetch(url, { method: 'PUT', headers: { 'content-type': mediaType }, body });
  assert.equal(response.status, 201, await response.text());
  return digest;
}

/** Pushes a blob in the two steps that every registry knows. */
export async function pushBlob(target: Target, content: Uint8Array): Promise<Digest> {
  const digest = digestOf(content);
  const base = `http://${target.address}`;
  const start = await fetch(`${base}/v2/${target.repository}/blobs/uploads/`, { method: 'POST' });
  assert.equal(start.status, 202, await start.text());
  const upload = new URL(start.headers.get('location') ?? '', base);
  upload.searchParams.set('digest', digest);
  const headers = { 'content-type': 'application/octet-stream' };
  const end = await fetch(upload, { method: 'PUT', headers, body: Buffer.from(content) });
  assert.equal(end.status, 201, await end.text());
  return digest;
}

function digestOf(content: Uint8Array): Digest {
  const digest = parseDigest(sha256(content));
  assert.ok(digest !== undefined);
  return digest;
}
