import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { ReasonCode } from '../../workflows/verdict/reason.ts';
import { type DevServer, startDevServer } from '../support/dev-server.ts';
import type { Fault } from '../support/registry-fault.ts';
import {
  BUNDLE,
  DSSE_ENVELOPE,
  pushBlob,
  pushBundle,
  pushCosignTag,
  pushImage,
  pushIndex,
  pushManifest,
  pushReferrer,
  pushReferrersTag,
  SIGNATURE,
  SIMPLE_SIGNING,
} from '../support/registry-push.ts';
import { cosignBundle, createSigningKey } from '../support/signer.ts';
import { digestOf } from '../support/verdicts.ts';
import { type Scene, type SignedImage, startScene } from './setting.ts';

const release = createSigningKey('ECDSA P-256');
const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const COSIGN = 'application/vnd.dev.cosign.artifact.sig.v1+json';
const NOTARY = 'application/vnd.cncf.notary.signature';
const SBOM = 'application/spdx+json';
const BYTE = 1024 * 1024;

let server: DevServer;
before(async () => {
  server = await startDevServer();
});
after(() => server.stop());

const scene = (t: TestContext) => startScene(t, server.address, release);
type Put = (scene: Scene, image: SignedImage) => Promise<unknown>;
const tagOf = ({ digest }: SignedImage) => digest.replace(':', '-');
const notFound = (part: string): Fault => ({
  effect: { kind: 'status', status: 404 },
  matches: ({ path }) => path.includes(part),
});

/** What lies beside an image that nobody has signed, and the code and words that a person needs. */
const UNUSABLE: readonly (readonly [what: string, code: ReasonCode, words: RegExp, put: Put])[] = [
  [
    'a bundle that its manifest calls larger than what is read',
    'EVIDENCE_TOO_LARGE',
    /layer 0 has 83886080 bytes, more than the 67108864 that are read; raise --max-evidence-mib of the workers/,
    async ({ target }, { digest }) => {
      const layers = [{ mediaType: BUNDLE, digest: digestOf('ee'), size: 80 * BYTE }];
      await pushReferrer(target, digest, { artifactType: BUNDLE, layers });
    },
  ],
  [
    'a signature manifest of more than 4 MiB',
    'EVIDENCE_TOO_LARGE',
    /\.sig: GET manifest .*expected at most 4194304 bytes/,
    ({ target }, image) => pushManifest(target, `${tagOf(image)}.sig`, `{"layers":[],"x":"${'x'.repeat(5 * BYTE)}"}`),
  ],
  [
    'a signature manifest of more values than any has',
    'EVIDENCE_TOO_LARGE',
    /the manifest has more than 20000 values and names/,
    ({ target }, image) => {
      const layers = Array.from({ length: 25_000 }, () => 0);
      return pushManifest(target, `${tagOf(image)}.sig`, { schemaVersion: 2, layers });
    },
  ],
  [
    'a signature that is no base64',
    'EVIDENCE_MALFORMED',
    /layer 0: expected base64 in annotation dev\.cosignproject\.cosign\/signature, found "c2ln!"/,
    ({ target }, image) => {
      const layer = { mediaType: SIMPLE_SIGNING, content: Buffer.from('{}'), annotations: { [SIGNATURE]: 'c2ln!' } };
      return pushCosignTag(target, `${tagOf(image)}.sig`, [layer]);
    },
  ],
  [
    'a signature tag that is cut',
    'EVIDENCE_MALFORMED',
    /expected an image manifest in JSON/,
    ({ target }, image) => pushManifest(target, `${tagOf(image)}.sig`, '{"schemaVersion":2,"mediaType":"appl'),
  ],
  [
    'an index of referrers that is cut',
    'EVIDENCE_MALFORMED',
    /expected an image index in JSON/,
    ({ target }, image) => pushManifest(target, tagOf(image), '{"schemaVersion":2,"manifests":[', INDEX),
  ],
  [
    'the manifest of a signature where its index belongs',
    'EVIDENCE_MALFORMED',
    /expected an image index, found the manifest of a signature/,
    async ({ target }, image) => {
      const layer = { mediaType: BUNDLE, digest: await pushBlob(target, Buffer.from('{}')), size: 2 };
      await pushManifest(target, tagOf(image), { schemaVersion: 2, mediaType: MANIFEST, layers: [layer] });
    },
  ],
  [
    'a referrer that says to be a bundle and has no layer',
    'EVIDENCE_MALFORMED',
    /expected a layer that is a bundle, a signed payload or an envelope, found none/,
    ({ target }, { digest }) => pushReferrer(target, digest, { artifactType: BUNDLE, layers: [] }),
  ],
  [
    'a layer without a sha256 digest',
    'EVIDENCE_MALFORMED',
    /expected a sha256 digest in layer 0, found none/,
    ({ target }, { digest }) => {
      const layers = [{ mediaType: BUNDLE, digest: `sha512:${'ab'.repeat(64)}`, size: 2 }];
      return pushReferrer(target, digest, { artifactType: BUNDLE, layers });
    },
  ],
  [
    'a bundle of another image in the index of referrers',
    'SUBJECT_MISMATCH',
    /expected the subject sha256:/,
    async ({ target }, image) => {
      const other = await pushImage(target, 'other');
      const { manifest } = await pushBundle(target, other, cosignBundle(release, other));
      await pushReferrersTag(target, image.digest, [manifest]);
    },
  ],
  ...(
    [
      ['a bundle of a later version', { type: 'application/vnd.dev.sigstore.bundle.v1+json' }],
      ['a bundle of a later version as its type says', { type: 'application/vnd.dev.sigstore.bundle.v0.3+protobuf' }],
      ['a signature of the Notary Project', { type: NOTARY, layer: 'application/jose+json' }],
      ['a payload of a later version', { type: COSIGN, layer: 'application/vnd.dev.cosign.simplesigning.v2+json' }],
      ['an envelope of a later version', { type: '', layer: 'application/vnd.dsse.envelope.v2+json' }],
    ] as const
  ).map(([what, kind]): (typeof UNUSABLE)[number] => [
    what,
    'EVIDENCE_UNSUPPORTED',
    /"application\/(vnd\.dev|vnd\.cncf|vnd\.dsse)[^"]*" is not read: expected a Sigstore bundle of version 0\.1 to 0\.3/,
    async ({ target }, { digest }) => {
      const mediaType = 'layer' in kind ? kind.layer : kind.type;
      const layers = [{ mediaType, digest: await pushBlob(target, Buffer.from('{}')), size: 2 }];
      await pushReferrer(target, digest, { ...(kind.type !== '' && { artifactType: kind.type }), layers });
    },
  ]),
  [
    'a signature in an annotation of a layer of another type',
    'EVIDENCE_UNSUPPORTED',
    /"text\/plain" is not read/,
    ({ target }, image) => {
      const layer = { mediaType: 'text/plain', content: Buffer.from('{}'), annotations: { [SIGNATURE]: 'c2ln' } };
      return pushCosignTag(target, `${tagOf(image)}.sig`, [layer]);
    },
  ],
  [
    'a bundle without a sha256 digest in the list',
    'EVIDENCE_MALFORMED',
    /1 entries of the list have no sha256 digest/,
    ({ target }, image) => pushReferrersTag(target, image.digest, [`sha512:${'ab'.repeat(64)}`]),
  ],
  [
    'an envelope that can be found and not read',
    'EVIDENCE_MALFORMED',
    /the envelope can't be read: it is not JSON/,
    ({ target }, image) =>
      pushCosignTag(target, `${tagOf(image)}.att`, [{ mediaType: DSSE_ENVELOPE, content: Buffer.from('{') }]),
  ],
];

describe('evidence that was found and is of no use', () => {
  for (const [what, code, words, put] of UNUSABLE) {
    it(`is named, and not called absent: ${what}`, async (t) => {
      const at = await scene(t);
      const image = await at.pushSigned();
      await put(at, image);
      const { outcome, reasons } = await at.verify(image);
      assert.deepEqual([outcome, reasons[0].code], ['deny', code], reasons[0].sentence);
      assert.match(reasons[0].sentence, words);
      assert.match(reasons[0].sentence, /policy "demo" wants a signature/);
      assert.ok(!reasons.some((reason) => reason.code === 'UNSIGNED'));
      await pushBundle(at.target, image.digest, cosignBundle(release, image.digest));
      assert.equal((await at.verify(image)).outcome, 'allow', 'beside a good signature');
    });
  }
});

/** What lies where evidence would, and is none. */
const IN_THE_WAY: readonly (readonly [what: string, put: Put])[] = [
  ['nothing', async () => undefined],
  ...['', '.sig', '.att'].map((end): (typeof IN_THE_WAY)[number] => [
    `the image itself under a tag sha256-...${end}`,
    async ({ target }, image) => {
      const url = `http://${target.address}/v2/${target.repository}/manifests/${image.digest}`;
      const manifest = await (await fetch(url, { headers: { accept: MANIFEST } })).text();
      assert.equal(await pushManifest(target, `${tagOf(image)}${end}`, manifest), image.digest);
    },
  ]),
  ...['', '.sig', '.att'].map((end): (typeof IN_THE_WAY)[number] => [
    `an index of images under a tag sha256-...${end}`,
    async ({ target }, image) => pushIndex(target, `${tagOf(image)}${end}`, [await pushImage(target, 'other')]),
  ]),
  [
    'an SBOM',
    async ({ target }, { digest }) => {
      const layers = [{ mediaType: SBOM, digest: await pushBlob(target, Buffer.from('{}')), size: 2 }];
      await pushReferrer(target, digest, { artifactType: SBOM, layers });
    },
  ],
  [
    'an SBOM that is listed and gone',
    async ({ target, registry }, { digest }) => {
      const gone = await pushReferrer(target, digest, { artifactType: SBOM, layers: [] });
      registry.setFault(notFound(gone));
    },
  ],
  [
    'an unsigned statement',
    async ({ target }, { digest }) => {
      const type = 'application/vnd.in-toto+json';
      const layers = [{ mediaType: type, digest: await pushBlob(target, Buffer.from('{}')), size: 2 }];
      await pushReferrer(target, digest, { artifactType: type, layers });
    },
  ],
  ['a signature tag without layers', ({ target }, image) => pushCosignTag(target, `${tagOf(image)}.sig`, [])],
  [
    'an SBOM of cosign',
    ({ target }, image) =>
      pushCosignTag(target, `${tagOf(image)}.sbom`, [{ mediaType: 'text/spdx+json', content: Buffer.from('{}') }]),
  ],
];

describe('an image is unsigned', () => {
  for (const [what, put] of IN_THE_WAY) {
    it(`beside ${what}`, async (t) => {
      const at = await scene(t);
      const image = await at.pushSigned();
      await put(at, image);
      const { outcome, reasons } = await at.verify(image);
      assert.deepEqual([outcome, reasons.length, reasons[0].code], ['deny', 1, 'UNSIGNED']);
      assert.match(reasons[0].sentence, /^no signature found for [^(]*; .*sign it with cosign sign/);
    });
  }
});

/** What a registry lists and does not serve. */
const LISTED: readonly (readonly [what: string, put: (scene: Scene, image: SignedImage) => Promise<string>])[] = [
  [
    'a referrer',
    async ({ target }, { digest }) => (await pushBundle(target, digest, cosignBundle(release, digest))).manifest,
  ],
  [
    'the bundle in a referrer',
    async ({ target }, { digest }) => (await pushBundle(target, digest, cosignBundle(release, digest))).blob,
  ],
  [
    'a manifest of the referrers tag',
    async ({ target, registry }, { digest }) => {
      registry.setFault(undefined);
      const { manifest } = await pushBundle(target, digest, cosignBundle(release, digest));
      await pushReferrersTag(target, digest, [manifest]);
      return manifest;
    },
  ],
];

describe('evidence that the registry lists and does not serve', () => {
  for (const [what, put] of LISTED) {
    it(`is asked for again, and counts once it is there: ${what}`, async (t) => {
      const at = await scene(t);
      const image = await at.pushSigned();
      at.registry.setFault({ ...notFound(await put(at, image)), requests: 3 });
      assert.equal((await at.verify(image)).outcome, 'allow');
    });

    it(`is named in the end, and hides no good signature: ${what}`, async (t) => {
      const at = await scene(t);
      const image = await at.pushSigned();
      at.registry.setFault(notFound(await put(at, image)));
      const { outcome, reasons } = await at.verify(image);
      assert.deepEqual([outcome, reasons[0].code], ['inconclusive', 'EVIDENCE_NOT_SERVED'], reasons[0].sentence);
      assert.match(reasons[0].sentence, /lists .* answers 404 .*; push it again, or remove it from the list/);
      await pushBundle(at.target, image.digest, cosignBundle(release, image.digest));
      const begun = Date.now();
      assert.equal((await at.verify(image)).outcome, 'allow');
      assert.ok(Date.now() - begun < 4_000, 'at once');
    });
  }

  it('delays no good signature behind a crowd of them, nor in a later part', async (t) => {
    const at = await scene(t);
    const image = await at.pushSigned();
    const gone = Array.from({ length: 60 }, (_, i) => digestOf(i.toString(16).padStart(2, '0')));
    await pushReferrersTag(at.target, image.digest, gone);
    const stranger = createSigningKey('ECDSA P-256');
    for (let i = 0; i < 55; i++) await pushBundle(at.target, image.digest, cosignBundle(stranger, image.digest));
    await pushBundle(at.target, image.digest, cosignBundle(release, image.digest));
    const begun = Date.now();
    assert.equal((await at.verify(image)).outcome, 'allow');
    assert.ok(Date.now() - begun < 6_000, `${Date.now() - begun} ms`);
  });
});
