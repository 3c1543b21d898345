import { createHash, randomBytes } from 'node:crypto';
import type { Digest } from '../../workflows/format/digest.ts';
import { preAuthEncoding } from '../../workflows/format/dsse.ts';
import { BUNDLE, pushBlob, pushBundle, pushReferrer, type Target } from '../support/registry-push.ts';
import {
  cosignBundle,
  cosignStatement,
  createSigningKey,
  encodeJson,
  STATEMENT_PAYLOAD_TYPE,
  signBundle,
} from '../support/signer.ts';
import { digestOf } from '../support/verdicts.ts';

const MIB = 1024 * 1024;
const stranger = createSigningKey('ECDSA P-256');

/** One thing that a stranger who may push puts beside an image. */
export interface HostilePush {
  readonly kind: string;
  /** Pushes so many artefacts that refer to the image. */
  push(target: Target, image: Digest, pieces: number): Promise<void>;
}

/** Junk of each kind, at the size that costs most within what is read. */
export const HOSTILE_PUSHES: readonly HostilePush[] = [
  sharedBlob('10 MiB of names of fields', () => `{${numbered(1_170_000, (i) => `"${i.toString(36)}":0`)}}`),
  sharedBlob('10 MiB of empty objects', () => `{"a":[${'{},'.repeat(3_400_000)}{}]}`),
  sharedBlob('10 MiB of escaped quotes', () => JSON.stringify({ mediaType: '"'.repeat(5_000_000) })),
  sharedBlob('a bundle that is cut off', () =>
    Buffer.from(cosignBundle(stranger, digestOf('00')))
      .subarray(0, -9)
      .toString(),
  ),
  {
    kind: '9 MiB attestations by a stranger',
    async push(target, image, pieces) {
      const predicate = { filler: randomBytes(3.3 * MIB).toString('base64') };
      const statement = { ...cosignStatement(image), predicateType: 'https://spdx.dev/Document', predicate };
      const blob = encodeJson(signBundle(stranger, statement));
      await referTo(target, image, blob, pieces);
    },
  },
  {
    kind: 'signatures by a stranger',
    async push(target, image, pieces) {
      for (let i = 0; i < pieces; i++) await pushBundle(target, image, cosignBundle(stranger, image));
    },
  },
  {
    kind: 'signatures with 32 checkpoints of 100 lines',
    async push(target, image, pieces) {
      for (let i = 0; i < pieces; i++) await pushBundle(target, image, withCheckpoints(image));
    },
  },
  {
    kind: 'manifests of 1 MiB',
    async push(target, image, pieces) {
      const blob = await pushBlob(target, cosignBundle(stranger, image));
      // The registry of the tests reads every manifest for each list of referrers.
      for (let i = 0; i < Math.min(pieces, 2); i++) {
        const filler = numbered(50, (k) => `${k}`).repeat(100);
        const layers = numbered(3_500, (k) => k)
          .split(',')
          .map((k) => ({
            mediaType: BUNDLE,
            digest: blob,
            size: 1_000,
            annotations: { [`note-${i}-${k}`]: filler.slice(0, 100) },
          }));
        await pushReferrer(target, image, { artifactType: BUNDLE, layers });
      }
    },
  },
];

/** Many artefacts that share one blob: an attacker pays for it once, a reader for each. */
function sharedBlob(kind: string, make: () => string): HostilePush {
  let content: Uint8Array | undefined;
  return {
    kind,
    async push(target, image, pieces) {
      content ??= Buffer.from(make());
      await referTo(target, image, content, pieces);
    },
  };
}

async function referTo(target: Target, image: Digest, content: Uint8Array, pieces: number): Promise<void> {
  const digest = await pushBlob(target, content);
  for (let i = 0; i < pieces; i++) {
    const annotations = { piece: `${i} ${randomBytes(4).toString('hex')}` };
    await pushReferrer(target, image, {
      artifactType: BUNDLE,
      layers: [{ mediaType: BUNDLE, digest, size: content.byteLength }],
      annotations,
    });
  }
}

/** Every line says to be by the same key, so that each would cost a verification. */
function withCheckpoints(image: Digest): Uint8Array {
  const bundle = signBundle(stranger, cosignStatement(image));
  const payload = Buffer.from(bundle.dsseEnvelope.payload, 'base64');
  const hash = createHash('sha256').update(preAuthEncoding(STATEMENT_PAYLOAD_TYPE, payload)).digest('hex');
  const line = `\u2014 log.example ${Buffer.concat([Buffer.from('key!'), randomBytes(70)]).toString('base64')}\n`;
  const envelope = `log.example\n7\n${Buffer.alloc(32).toString('base64')}\n\n${line.repeat(100)}`;
  const entry = {
    logIndex: '0',
    logId: { keyId: Buffer.alloc(32).toString('base64') },
    kindVersion: { kind: 'hashedrekord', version: '0.0.1' },
    integratedTime: '1700000000',
    inclusionProof: {
      logIndex: '0',
      rootHash: Buffer.alloc(32).toString('base64'),
      treeSize: '7',
      hashes: [],
      checkpoint: { envelope },
    },
    canonicalizedBody: Buffer.from(JSON.stringify({ hash })).toString('base64'),
  };
  const material = { ...bundle.verificationMaterial, tlogEntries: Array.from({ length: 32 }, () => entry) };
  return encodeJson({ ...bundle, verificationMaterial: material });
}

function numbered(count: number, name: (i: number) => unknown): string {
  return Array.from({ length: count }, (_, i) => name(i)).join(',');
}
