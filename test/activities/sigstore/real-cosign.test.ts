import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { anonymous } from '../../../activities/registry/credentials/credential.ts';
import { findSignatures } from '../../../activities/registry/evidence/signatures.ts';
import { createRegistry } from '../../../activities/registry/registry.ts';
import { judge, type SignatureContent } from '../../../activities/sigstore/signature.ts';
import { type Cosign, type SignatureFormat, useCosign } from '../../../infra/stack/cosign.ts';
import { startRegistry } from '../../../infra/stack/registry.ts';
import { obtain } from '../../../infra/tools/obtain.ts';
import type { Digest } from '../../../workflows/format/digest.ts';
import { allowInternal } from '../../support/loopback.ts';
import { pushImage, pushManifest } from '../../support/registry-push.ts';
import { createSigningKey, type KeyKind } from '../../support/signer.ts';
import { byKey, contentOf, goodKey } from './verdict-of.ts';

allowInternal('127.0.0.0/8');

const FORMATS: readonly SignatureFormat[] = ['bundle', 'simple-signing'];

let dir = '';
let binary = '';
let cosign: Cosign;
let registry: { readonly address: string; stop(): Promise<void> };

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portcullis-cosign-'));
  ({ cosign: binary } = await obtain(['cosign']));
  registry = await startRegistry({ dir, kind: 'distribution' });
  cosign = await useCosign(binary, dir);
});

after(async () => {
  await registry.stop();
  await rm(dir, { recursive: true });
});

test('a key that cosign made, in both formats: we and cosign say yes, and no under another key', async () => {
  await cosign.generateKeyPair('made');
  await cosign.generateKeyPair('other');
  for (const format of FORMATS) {
    const image = await signedImage('made', format);
    assert.equal(await verdictBy(image, 'made'), 'valid', format);
    assert.equal(await cosignVerifies(image, 'made'), true, format);
    const other = await judged(image, 'other');
    assert.equal(other.valid ? 'valid' : other.code, format === 'bundle' ? 'WRONG_KEY' : 'SIGNATURE_INVALID');
    assert.equal(await cosignVerifies(image, 'other'), false, format);
  }
});

test('a signature moved to another image is refused by us and by cosign', async () => {
  await cosign.generateKeyPair('mover');
  for (const format of FORMATS) {
    const image = await signedImage('mover', format);
    const target = { address: registry.address, repository: image.repository };
    const victim = { ...image, digest: await pushImage(target, 'victim') };
    const listing = await fetchJson(manifestUrl(image, signatureTag(image)));
    await pushManifest(target, signatureTag(victim), listing, listing.mediaType);
    const moved = await judged(victim, 'mover');
    assert.equal(moved.valid ? 'valid' : moved.code, 'SUBJECT_MISMATCH', format);
    assert.equal(await cosignVerifies(victim, 'mover'), false, format);
    assert.equal(await cosignVerifies(image, 'mover'), true, format);
  }
});

/** What cosign 3.1.3 makes of imported keys. It signs with P-384 and P-521 in a way its own verify does not expect. */
const IMPORTED: readonly (readonly [KeyKind, SignatureFormat, { readonly cosign: boolean }])[] = [
  ['RSA 2048', 'bundle', { cosign: true }],
  ['RSA 2048', 'simple-signing', { cosign: true }],
  ['ECDSA P-384', 'bundle', { cosign: false }],
  ['ECDSA P-384', 'simple-signing', { cosign: false }],
  ['ECDSA P-521', 'bundle', { cosign: false }],
  ['ECDSA P-521', 'simple-signing', { cosign: false }],
];

for (const [kind, format, verifies] of IMPORTED) {
  test(`${kind} as ${format}: we say yes, cosign's own verify ${verifies.cosign ? 'too' : 'does not'}`, async () => {
    const prefix = await importKey(kind);
    const image = await signedImage(prefix, format);
    assert.equal(await verdictBy(image, prefix), 'valid');
    assert.equal(await cosignVerifies(image, prefix), verifies.cosign);
  });
}

test('Ed25519: cosign makes signatures that neither it nor we can verify, and we say why', async () => {
  const prefix = await importKey('Ed25519');
  for (const format of FORMATS) {
    const image = await signedImage(prefix, format);
    const judgement = await judged(image, prefix);
    assert.ok(!judgement.valid);
    assert.equal(judgement.code, 'SIGNATURE_INVALID');
    assert.match(judgement.sentence, /Ed25519ph, which cosign makes and can't verify/);
    assert.equal(await cosignVerifies(image, prefix), false);
  }
});

test('a signature of openssl in lines of base64, attached by cosign: cosign and we say yes, and no once a character is wrong', async () => {
  const run = promisify(execFile);
  const key = createSigningKey('ECDSA P-256');
  await writeFile(join(dir, 'hsm.pem'), key.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await writeFile(join(dir, 'hsm.pub'), key.publicPem);
  const attached = async (bend: (lines: string) => string): Promise<SignedImage> => {
    images += 1;
    const repository = `attached/app${images}`;
    const digest = await pushImage({ address: registry.address, repository }, 'latest');
    const name = `${registry.address}/${repository}@${digest}`;
    const { stdout: payload } = await run(binary, ['generate', '--allow-http-registry', name], { cwd: dir });
    await writeFile(join(dir, 'payload.json'), payload);
    await run('openssl', ['dgst', '-sha256', '-sign', 'hsm.pem', '-out', 'payload.sig', 'payload.json'], { cwd: dir });
    const { stdout: lines } = await run('base64', ['payload.sig'], { cwd: dir });
    assert.ok(lines.trim().includes('\n'), 'it has lines');
    await writeFile(join(dir, 'payload.b64'), bend(lines));
    const files = ['--payload=payload.json', '--signature=payload.b64', '--allow-http-registry'];
    await run(binary, ['attach', 'signature', ...files, name], { cwd: dir });
    return { repository, digest, format: 'simple-signing' };
  };
  const found = async ({ repository, digest }: SignedImage) => {
    const name = `${registry.address}/${repository}:latest`;
    const reader = createRegistry({ credentials: anonymous });
    return await findSignatures(reader, { name, digest, source: {} }, AbortSignal.timeout(60_000));
  };
  const good = await attached((lines) => lines);
  assert.equal(await cosignVerifies(good, 'hsm'), true);
  assert.equal((await found(good)).signatures.length, 1);
  assert.equal(await verdictBy(good, 'hsm'), 'valid');
  const broken = await attached((lines) => lines.replace('\n', '!\n'));
  assert.equal(await cosignVerifies(broken, 'hsm'), false);
  const { signatures, unreadable } = await found(broken);
  assert.deepEqual([signatures, unreadable.map(({ code }) => code)], [[], ['EVIDENCE_MALFORMED']]);
  assert.match(
    unreadable[0]?.sentence ?? '',
    /^layer 0: expected base64 in annotation dev\.cosignproject\.cosign\/signature, found "ME/,
  );
});

interface SignedImage {
  readonly repository: string;
  readonly digest: Digest;
  readonly format: SignatureFormat;
}

let images = 0;

/** Pushes an image of its own and signs it. */
async function signedImage(keyPrefix: string, format: SignatureFormat): Promise<SignedImage> {
  images += 1;
  const repository = `signed/app${images}`;
  const digest = await pushImage({ address: registry.address, repository }, 'latest');
  await cosign.sign(`${registry.address}/${repository}@${digest}`, keyPrefix, format);
  return { repository, digest, format };
}

function cosignVerifies({ repository, digest }: SignedImage, keyPrefix: string): Promise<boolean> {
  return cosign.verifies(`${registry.address}/${repository}@${digest}`, keyPrefix);
}

async function judged(image: SignedImage, keyPrefix: string) {
  const key = goodKey(await readFile(join(dir, `${keyPrefix}.pub`), 'utf8'));
  const expected = { digest: image.digest, repository: `${registry.address}/${image.repository}` };
  return judge(await fetchSignature(image), byKey(key), expected, { now: new Date() });
}

async function verdictBy(image: SignedImage, keyPrefix: string): Promise<string> {
  const judgement = await judged(image, keyPrefix);
  return judgement.valid ? 'valid' : judgement.code;
}

/** The one signature of an image. */
async function fetchSignature(image: SignedImage): Promise<SignatureContent> {
  const listing = await fetchJson(manifestUrl(image, signatureTag(image)));
  if (image.format === 'simple-signing') {
    const [layer] = listing.layers ?? [];
    const signature = layer?.annotations?.['dev.cosignproject.cosign/signature'];
    assert.ok(layer !== undefined && signature !== undefined);
    return contentOf({ format: image.format, payload: await fetchBytes(blobUrl(image, layer)), signature });
  }
  const [referrer] = listing.manifests ?? [];
  assert.ok(referrer !== undefined);
  const [layer] = (await fetchJson(manifestUrl(image, referrer.digest))).layers ?? [];
  assert.ok(layer !== undefined);
  return { format: image.format, bundle: await fetchBytes(blobUrl(image, layer)) };
}

/** Where cosign puts signatures in a registry without the referrers API: an index of referrers, or a manifest. */
function signatureTag({ digest, format }: SignedImage): string {
  const tag = digest.replace(':', '-');
  return format === 'bundle' ? tag : `${tag}.sig`;
}

function manifestUrl({ repository }: SignedImage, reference: string): string {
  return `http://${registry.address}/v2/${repository}/manifests/${reference}`;
}

function blobUrl({ repository }: SignedImage, { digest }: Entry): string {
  return `http://${registry.address}/v2/${repository}/blobs/${digest}`;
}

interface Entry {
  readonly digest: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface Manifest {
  readonly mediaType?: string;
  readonly layers?: readonly Entry[];
  readonly manifests?: readonly Entry[];
}

async function fetchJson(url: string): Promise<Manifest> {
  // What cosign pushed a moment ago: another shape fails the assertion that uses it.
  return JSON.parse(Buffer.from(await fetchBytes(url)).toString()) as Manifest;
}

async function fetchBytes(url: string): Promise<Uint8Array> {
  const accept = 'application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, */*';
  const response = await fetch(url, { headers: { accept } });
  assert.equal(response.status, 200, url);
  return new Uint8Array(await response.arrayBuffer());
}

async function importKey(kind: KeyKind): Promise<string> {
  const prefix = `imported-${randomUUID()}`;
  const pkcs8 = createSigningKey(kind).privateKey.export({ type: 'pkcs8', format: 'pem' });
  await writeFile(join(dir, `${prefix}.pem`), pkcs8);
  const args = ['import-key-pair', `--key=${prefix}.pem`, `--output-key-prefix=${prefix}`];
  await promisify(execFile)(binary, args, { cwd: dir, env: { ...process.env, COSIGN_PASSWORD: '' } });
  return prefix;
}
