import { createHash } from 'node:crypto';
import { parseArtefact } from '../../../../activities/registry/evidence/artefact.ts';
import { readAnnotations } from '../../../../activities/registry/evidence/layer-annotations.ts';
import type { LayerAnnotations, SignatureContent } from '../../../../activities/sigstore/evidence/content.ts';
import type { BundleDocument } from '../../../support/virtual-sigstore/evidence.ts';

/** Bytes in a piece of evidence, and the evidence with other bytes there; `undefined` is refused before it is judged. */
export interface Part {
  readonly name: string;
  readonly bytes: Buffer;
  with(bytes: Buffer): SignatureContent | undefined;
}

/** Every part of a piece of evidence that can be changed for itself, the whole document first. */
export function partsOf(content: SignatureContent): readonly Part[] {
  switch (content.format) {
    case 'bundle':
      return [
        { name: 'the bundle', bytes: Buffer.from(content.bundle), with: (bundle) => ({ ...content, bundle }) },
        ...insideBundle(JSON.parse(Buffer.from(content.bundle).toString()) as BundleDocument), // made by us
      ];
    case 'simple-signing':
      return [
        { name: 'the payload', bytes: Buffer.from(content.payload), with: (payload) => ({ ...content, payload }) },
        ...besidePayload(content, 'application/vnd.dev.cosign.simplesigning.v1+json', content.payload),
      ];
    case 'envelope':
      return [
        { name: 'the envelope', bytes: Buffer.from(content.envelope), with: (envelope) => ({ ...content, envelope }) },
        ...besidePayload(content, 'application/vnd.dsse.envelope.v1+json', content.envelope),
      ];
  }
}

type Holder = Record<string, unknown>;

/** The bytes that a bundle holds in base64, and its checkpoints. */
function insideBundle(document: BundleDocument): readonly Part[] {
  const parts: Part[] = [];
  const visit = (path: readonly string[], node: unknown): void => {
    if (typeof node !== 'object' || node === null) {
      const name = path.at(-1) ?? '';
      if (typeof node === 'string' && ENCODINGS.has(NUMBER.test(name) ? (path.at(-2) ?? '') : name)) {
        parts.push(leafPart(document, path, node));
      }
      return;
    }
    for (const [name, child] of Object.entries(node)) visit([...path, name], child);
  };
  visit([], document);
  return parts;
}

const NUMBER = /^\d+$/;
const ENCODINGS: ReadonlySet<string> = new Set(
  'rawBytes keyId canonicalizedBody signedEntryTimestamp rootHash hashes envelope signedTimestamp payload sig'.split(
    ' ',
  ),
);

function leafPart(document: BundleDocument, path: readonly string[], text: string): Part {
  const encoding = path.at(-1) === 'envelope' ? 'utf8' : 'base64';
  return {
    name: path.join('.'),
    bytes: Buffer.from(text, encoding),
    with(bytes) {
      const copy = structuredClone(document);
      const holder = path.slice(0, -1).reduce<Holder>((node, name) => node[name] as Holder, copy as unknown as Holder); // the path was found in it
      holder[path.at(-1) ?? ''] = bytes.toString(encoding);
      return { format: 'bundle', bundle: Buffer.from(JSON.stringify(copy)) };
    },
  };
}

type Legacy = SignatureContent & { readonly format: 'simple-signing' | 'envelope' };

const ANNOTATIONS = {
  signature: 'dev.cosignproject.cosign/signature',
  certificate: 'dev.sigstore.cosign/certificate',
  chain: 'dev.sigstore.cosign/chain',
  bundle: 'dev.sigstore.cosign/bundle',
  timestamp: 'dev.sigstore.cosign/rfc3161timestamp',
} as const satisfies Record<keyof LayerAnnotations, string>;

/** Each annotation, and the manifest that they stand in. */
function besidePayload(content: Legacy, mediaType: string, payload: Uint8Array): readonly Part[] {
  const annotations: Part[] = Object.entries(content.annotations)
    .filter(([, text]) => text !== '')
    .map(([name, text]) => ({
      name: `the annotation ${name}`,
      bytes: Buffer.from(text, 'latin1'),
      with: (bytes) => ({ ...content, annotations: { ...content.annotations, [name]: bytes.toString('latin1') } }),
    }));
  const digest = `sha256:${createHash('sha256').update(payload).digest('hex')}`;
  const named = Object.entries(ANNOTATIONS).map(([name, annotation]) => [
    annotation,
    content.annotations[name as keyof LayerAnnotations] ?? '',
  ]); // a key of it
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: `sha256:${'0'.repeat(64)}`, size: 2 },
    layers: [{ mediaType, digest, size: payload.length, annotations: Object.fromEntries(named) }],
  };
  const read = (bytes: Buffer): SignatureContent | undefined => {
    const artefact = parseArtefact(bytes);
    const layer = typeof artefact === 'object' ? artefact.layers[0] : undefined;
    if (layer === undefined || layer.digest !== digest || layer.mediaType !== mediaType) return undefined;
    const found = readAnnotations(layer);
    return 'code' in found ? undefined : { ...content, annotations: found };
  };
  return [...annotations, { name: 'the manifest', bytes: Buffer.from(JSON.stringify(manifest)), with: read }];
}
