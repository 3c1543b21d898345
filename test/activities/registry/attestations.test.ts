import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { anonymous } from '../../../activities/registry/credentials/credential.ts';
import { findSignatures, readSignature } from '../../../activities/registry/evidence/signatures.ts';
import { createRegistry } from '../../../activities/registry/registry.ts';
import type { Digest } from '../../../workflows/format/digest.ts';
import type { FakeRegistry } from '../../support/registry.ts';
import { startFakeRegistry } from '../../support/registry.ts';
import {
  DSSE_ENVELOPE,
  pushAttestationTag,
  pushBlob,
  pushCosignTag,
  pushImage,
  pushManifest,
  pushReferrer,
  pushSignatureTag,
  SIGNATURE,
  SIMPLE_SIGNING,
  type Target,
} from '../../support/registry-push.ts';

const signal = AbortSignal.timeout(60_000);
const source = {};
const CERTIFICATE = 'dev.sigstore.cosign/certificate';
const CHAIN = 'dev.sigstore.cosign/chain';
const BUNDLE_ANNOTATION = 'dev.sigstore.cosign/bundle';
const TIMESTAMP = 'dev.sigstore.cosign/rfc3161timestamp';
const envelope = Buffer.from('{"payloadType":"application/vnd.in-toto+json","payload":"","signatures":[]}');

interface House {
  readonly fake: FakeRegistry;
  readonly target: Target;
  readonly image: Digest;
  readonly name: string;
}

async function withImage(run: (house: House) => Promise<void>): Promise<void> {
  const fake = await startFakeRegistry();
  try {
    const target = { address: fake.address, repository: 'demo/app' };
    await run({ fake, target, image: await pushImage(target, 'v1'), name: `${fake.address}/demo/app:v1` });
  } finally {
    await fake.stop();
  }
}

const newRegistry = () => createRegistry({ credentials: anonymous });
const find = ({ name, image }: House) => findSignatures(newRegistry(), { name, digest: image, source }, signal);

async function readAll(house: House) {
  const registry = newRegistry();
  const { signatures } = await findSignatures(registry, { name: house.name, digest: house.image, source }, signal);
  return Promise.all(signatures.map((reference) => readSignature(registry, house.name, reference, signal)));
}

describe('the attestation tag', () => {
  it('holds envelopes, with what stands beside them', () =>
    withImage(async (house) => {
      const annotations = {
        [SIGNATURE]: '',
        [CERTIFICATE]: 'a certificate',
        [CHAIN]: '',
        [BUNDLE_ANNOTATION]: '{"SignedEntryTimestamp":""}',
        [TIMESTAMP]: '{"SignedRFC3161Timestamp":""}',
        predicateType: 'https://spdx.dev/Document',
      };
      const { manifest, blobs } = await pushAttestationTag(house.target, house.image, [
        { content: envelope, annotations },
      ]);
      assert.deepEqual(await find(house), {
        signatures: [{ format: 'envelope', place: 'attestation-tag', source, manifest, blob: blobs[0], layer: 0 }],
        unreadable: [],
      });
      assert.deepEqual(await readAll(house), [
        {
          format: 'envelope',
          envelope,
          annotations: {
            certificate: 'a certificate',
            bundle: '{"SignedEntryTimestamp":""}',
            timestamp: '{"SignedRFC3161Timestamp":""}',
          },
        },
      ]);
    }));

  it('is looked for in the same round as the other places, by one request more', () =>
    withImage(async (house) => {
      const before = house.fake.requests.length;
      assert.deepEqual(await find(house), { signatures: [], unreadable: [] });
      const hex = house.image.replace(':', '-');
      assert.deepEqual(
        new Set(house.fake.requests.slice(before).map(({ path }) => path.slice('/v2/demo/app/'.length))),
        new Set([`referrers/${house.image}`, `manifests/${hex}`, `manifests/${hex}.sig`, `manifests/${hex}.att`]),
      );
    }));

  for (const status of [500, 503, 429, 401, 403]) {
    it(`that is answered by ${status} is no "nothing"`, () =>
      withImage(async (house) => {
        house.fake.setFault({ effect: { kind: 'status', status }, matches: ({ path }) => path.endsWith('.att') });
        await assert.rejects(find(house), { name: 'EvidenceError', code: /^REGISTRY_(ERROR|THROTTLED|UNAUTHORIZED)$/ });
      }));
  }

  for (const [what, content, isNamed] of [
    ['no JSON', '<html>', true],
    [
      'an index of signatures',
      `{"manifests":[{"digest":"sha256:${'1'.repeat(64)}","artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json"}]}`,
      true,
    ],
    ['an index', '{"schemaVersion":2,"manifests":[]}', false],
    ['without layers', '{"schemaVersion":2,"layers":[]}', false],
    [
      'an image',
      `{"schemaVersion":2,"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","size":1}]}`,
      false,
    ],
  ] as const) {
    it(`that is junk (${what}) hides nothing and is ${isNamed ? 'named' : 'no evidence'}`, () =>
      withImage(async (house) => {
        const junk = await pushManifest(house.target, `${house.image.replace(':', '-')}.att`, content);
        const good = await pushSignatureTag(house.target, house.image, [Buffer.from('payload')]);
        const found = await find(house);
        assert.deepEqual(
          found.signatures.map(({ manifest }) => manifest),
          [good.manifest],
        );
        assert.deepEqual(
          found.unreadable.map(({ artefact, code }) => [artefact, code]),
          isNamed ? [[junk, 'EVIDENCE_MALFORMED']] : [],
        );
      }));
  }
});

describe('attestations and signatures as referrers of cosign', () => {
  it('are read from their layers (oci-1-1 mode)', () =>
    withImage(async (house) => {
      const { target, image } = house;
      const payload = Buffer.from('payload');
      const signature = await pushReferrer(target, image, {
        configType: 'application/vnd.dev.cosign.artifact.sig.v1+json',
        layers: [
          {
            mediaType: SIMPLE_SIGNING,
            digest: await pushBlob(target, payload),
            size: payload.byteLength,
            annotations: { [SIGNATURE]: 'c2ln', [CERTIFICATE]: 'a certificate' },
          },
        ],
      });
      const attestation = await pushReferrer(target, image, {
        artifactType: 'application/vnd.in-toto+json',
        layers: [{ mediaType: DSSE_ENVELOPE, digest: await pushBlob(target, envelope), size: envelope.byteLength }],
      });
      const found = await find(house);
      assert.deepEqual(found.unreadable, []);
      assert.deepEqual(
        new Set(found.signatures.map(({ format, place, manifest }) => `${format} ${place} ${manifest}`)),
        new Set([`simple-signing referrers ${signature}`, `envelope referrers ${attestation}`]),
      );
      const contents = await readAll(house);
      assert.deepEqual(
        contents.find(({ format }) => format === 'simple-signing'),
        { format: 'simple-signing', payload, annotations: { signature: 'c2ln', certificate: 'a certificate' } },
      );
    }));

  it('that state without an envelope are none of ours', () =>
    withImage(async (house) => {
      const layer = { mediaType: 'application/vnd.in-toto+json', digest: `sha256:${'1'.repeat(64)}`, size: 3 };
      await pushReferrer(house.target, house.image, { artifactType: layer.mediaType, layers: [layer] });
      assert.deepEqual(await find(house), { signatures: [], unreadable: [] });
    }));

  it('of another subject are refused', () =>
    withImage(async (house) => {
      const other = await pushImage(house.target, 'v2');
      const layer = { mediaType: DSSE_ENVELOPE, digest: await pushBlob(house.target, envelope), size: 1 };
      const moved = await pushReferrer(house.target, other, { layers: [layer] });
      await pushManifest(house.target, house.image.replace(':', '-'), { manifests: [{ digest: moved }] });
      const found = await find(house);
      assert.deepEqual(found.signatures, []);
      assert.deepEqual(
        found.unreadable.map(({ artefact, code }) => [artefact, code]),
        [[moved, 'SUBJECT_MISMATCH']],
      );
    }));
});

describe('annotations of a layer', () => {
  const junk: readonly (readonly [string, unknown, string])[] = [
    [SIGNATURE, 'A'.repeat(16 * 1024 + 4), 'EVIDENCE_TOO_LARGE'],
    [CERTIFICATE, 'A'.repeat(100 * 1024 + 1), 'EVIDENCE_TOO_LARGE'],
    [CHAIN, 'A'.repeat(100 * 1024 + 1), 'EVIDENCE_TOO_LARGE'],
    [BUNDLE_ANNOTATION, 'A'.repeat(100 * 1024 + 1), 'EVIDENCE_TOO_LARGE'],
    [TIMESTAMP, 'A'.repeat(100 * 1024 + 1), 'EVIDENCE_TOO_LARGE'],
    [SIGNATURE, { toString: 'c2ln' }, 'EVIDENCE_MALFORMED'],
    [CERTIFICATE, 5, 'EVIDENCE_MALFORMED'],
    [BUNDLE_ANNOTATION, ['{}'], 'EVIDENCE_MALFORMED'],
    [SIGNATURE, 'c2l.\n', 'EVIDENCE_MALFORMED'],
    [SIGNATURE, '', 'EVIDENCE_MALFORMED'],
  ];
  for (const [annotation, value, code] of junk) {
    const shown = String(JSON.stringify(value)).slice(0, 12);
    it(`that are junk (${annotation} ${shown}) spoil their own layer and no other`, () =>
      withImage(async (house) => {
        const good = { [SIGNATURE]: 'c2ln', [CHAIN]: null };
        const { manifest, blobs } = await pushCosignTag(house.target, `${house.image.replace(':', '-')}.sig`, [
          { mediaType: SIMPLE_SIGNING, content: Buffer.from('bad'), annotations: { ...good, [annotation]: value } },
          { mediaType: SIMPLE_SIGNING, content: Buffer.from('good'), annotations: good },
        ]);
        const found = await find(house);
        assert.deepEqual(
          found.signatures.map(({ blob }) => blob),
          [blobs[1]],
        );
        assert.deepEqual(
          found.unreadable.map(({ artefact, code }) => [artefact, code]),
          [[manifest, code]],
        );
        for (const { sentence } of found.unreadable) assert.match(sentence, /^layer 0: expected [\x20-\x7e]{1,200}$/);
      }));
  }

  it('at their bound are read', () =>
    withImage(async (house) => {
      const certificate = 'A'.repeat(100 * 1024);
      await pushAttestationTag(house.target, house.image, [
        { content: envelope, annotations: { [CERTIFICATE]: certificate } },
      ]);
      assert.deepEqual(await readAll(house), [{ format: 'envelope', envelope, annotations: { certificate } }]);
    }));
});

describe('media types of layers', () => {
  for (const mediaType of [
    'application/vnd.dsse.envelope.v1+json; charset=utf-8',
    'APPLICATION/VND.DSSE.ENVELOPE.V1+JSON',
    'application/vnd.dsse.envelope.v2+json',
    'application/vnd.dev.sigstore.bundle.v0.9999+json',
    'application/vnd.dev.sigstore.bundle.v1.0+json',
    '__proto__',
    '\u202eapplication/vnd.dsse.envelope.v1+json',
    '',
  ]) {
    it(`that are none we read (${JSON.stringify(mediaType)}) are left alone beside a good layer`, () =>
      withImage(async (house) => {
        const { blobs } = await pushAttestationTag(house.target, house.image, [
          { content: Buffer.from('junk'), mediaType },
          { content: envelope },
        ]);
        const found = await find(house);
        assert.deepEqual(
          found.signatures.map(({ blob }) => blob),
          [blobs[1]],
        );
        assert.deepEqual(found.unreadable, []);
      }));
  }

  it('decide, and not what a reference says of them', () =>
    withImage(async (house) => {
      await pushAttestationTag(house.target, house.image, [
        { content: envelope, annotations: { [SIGNATURE]: 'c2ln' } },
      ]);
      const registry = newRegistry();
      const { signatures } = await findSignatures(registry, { name: house.name, digest: house.image, source }, signal);
      const [reference] = signatures;
      assert.ok(reference?.format === 'envelope');
      const bent = { ...reference, format: 'simple-signing' } as const;
      await assert.rejects(readSignature(registry, house.name, bent, signal), { code: 'EVIDENCE_MALFORMED' });
    }));
});
