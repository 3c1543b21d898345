import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createLiveLogs } from '../../activities/rekor/live-logs.ts';
import type { ProvenEntry } from '../../activities/sigstore/judgement.ts';
import type { EntryQuestion } from '../../activities/sigstore/log/looked-up-entry.ts';
import { type TransparencyLog, toTrustRoot } from '../../activities/trust/trust-root.ts';
import { readTrustedRootJson } from '../../activities/trust/trusted-root/trusted-root-json.ts';
import { type Registry, startRegistry } from '../../infra/stack/registry.ts';
import { type KeylessCosign, useKeylessCosign } from '../../infra/stack/sigstore/keyless-cosign.ts';
import { type Sigstore, startSigstore } from '../../infra/stack/sigstore.ts';
import { pushImage } from '../support/image.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const SIGNER = 'release@example.com';

let registry: Registry;
let sigstore: Sigstore;
/** Signs by the same authority, and logs nothing. */
let unlogged: KeylessCosign;
const running = new AsyncDisposableStack();
before(async () => {
  const { path: dir } = running.use(await temporaryFolder());
  registry = await startRegistry({ dir, kind: 'referrers' });
  running.defer(() => registry.stop());
  sigstore = await startSigstore({ dir: join(dir, 'sigstore'), rekorV1: true });
  running.defer(() => sigstore.stop());
  unlogged = await useKeylessCosign(join(dir, 'unlogged'), { ...sigstore, rekorV1: undefined });
});
after(() => running.disposeAsync());

/** What cosign 2 left of a signature or attestation, and its entry as it stands beside it. */
interface Left extends EntryQuestion {
  readonly entry: ProvenEntry;
}

/** As far as this test reads what cosign writes: a layer of the manifest behind the tag. */
interface Layer {
  readonly digest: string;
  readonly annotations: Readonly<Record<string, string>>;
}

async function push(): Promise<string> {
  const where = { registry: registry.address, repository: 'app', tag: randomUUID() };
  return (await pushImage({ ...where, files: { unique: randomUUID() } })).digest;
}

async function sign(cosign: KeylessCosign = sigstore.cosign): Promise<Left> {
  const digest = await push();
  await cosign.sign(`${registry.address}/app@${digest}`, sigstore.issuer.token(SIGNER), 'legacy');
  const { layer, content } = await readLayer(digest, 'sig');
  const signature = layer.annotations['dev.cosignproject.cosign/signature'] ?? '';
  return { ...questionOf(layer, content, signature), entry: entryOf(layer) };
}

async function attest(): Promise<Left> {
  const digest = await push();
  const attestation = { type: 'https://example.com/answer', predicate: { answer: 42 } };
  const image = `${registry.address}/app@${digest}`;
  await sigstore.cosign.attest(image, sigstore.issuer.token(SIGNER), attestation, 'legacy');
  const { layer, content } = await readLayer(digest, 'att');
  const envelope = content.toString('utf8');
  // DSSE: an envelope of one signature
  const { signatures } = JSON.parse(envelope) as { signatures: readonly [{ sig: string }] };
  return { ...questionOf(layer, content, signatures[0].sig), envelope, entry: entryOf(layer) };
}

async function readLayer(digest: string, suffix: string) {
  const base = `http://${registry.address}/v2/app`;
  const answer = await fetch(`${base}/manifests/${digest.replace(':', '-')}.${suffix}`);
  // the OCI image specification
  const { layers } = (await answer.json()) as { layers: readonly Layer[] };
  const [layer] = layers;
  assert.ok(layer);
  const content = Buffer.from(await (await fetch(`${base}/blobs/${layer.digest}`)).arrayBuffer());
  return { layer, content };
}

function questionOf(layer: Layer, content: Buffer, signature: string): EntryQuestion {
  const artefactHash = createHash('sha256').update(content).digest('hex');
  return { artefactHash, signature, verifier: layer.annotations['dev.sigstore.cosign/certificate'] ?? '' };
}

function entryOf(layer: Layer): ProvenEntry {
  const { body = '', integratedTime = 0, logID = '' } = readPromise(layer);
  return {
    logId: logID,
    canonicalizedBody: Buffer.from(body, 'base64'),
    integratedTime: integratedTime * 1_000,
    inclusion: undefined,
  };
}

/** The log's promise, as cosign writes it; nothing where it did not log. */
function readPromise({ annotations }: Layer) {
  const { Payload } = JSON.parse(annotations['dev.sigstore.cosign/bundle'] ?? '{}') as {
    Payload?: { body: string; integratedTime: number; logID: string };
  };
  return Payload ?? { body: undefined, integratedTime: undefined, logID: undefined };
}

/** The log as the trust root that cosign wrote names it. */
async function log(): Promise<TransparencyLog> {
  const read = readTrustedRootJson('own', await readFile(sigstore.cosign.trustedRoot), 'refuse');
  if (!read.ok || read.document.source.kind !== 'keys') return assert.fail('expected a trust root');
  const logs = toTrustRoot('own', read.document.source.root).logs.filter(({ version }) => version === 'v1');
  return logs.length === 1 && logs[0] !== undefined ? logs[0] : assert.fail('expected one log');
}

const signal = () => AbortSignal.timeout(10_000);

describe('a real Rekor with an API', () => {
  it('confirms entries that it only promised, while it grows', async () => {
    const logs = createLiveLogs({ maxAgeMs: 0 });
    const first = await sign();
    assert.equal(first.entry.logId, (await log()).id);
    assert.equal((await logs.confirm(await log(), first.entry, signal())).confirmed, true);
    for (const left of [await sign(), await attest(), first]) {
      assert.equal((await logs.confirm(await log(), left.entry, signal())).confirmed, true);
    }
  });

  it('does not confirm an entry that it does not have', async () => {
    const { entry } = await sign();
    const forged = { ...entry, canonicalizedBody: Buffer.concat([entry.canonicalizedBody, Buffer.from(' ')]) };
    const confirming = createLiveLogs().confirm(await log(), forged, signal());
    await assert.rejects(confirming, { code: 'LOG_MISBEHAVED' });
  });

  for (const [what, make] of Object.entries({ signature: sign, attestation: attest })) {
    it(`finds the entry of ${what === 'signature' ? 'a' : 'an'} ${what}`, async () => {
      const { entry, ...question } = await make();
      const found = await createLiveLogs().lookUp(await log(), question, signal());
      assert.deepEqual(
        found.map(({ canonicalizedBody }) => canonicalizedBody),
        [Buffer.from(entry.canonicalizedBody).toString('base64')],
      );
    });
  }

  it('finds none of a signature that was not logged', async () => {
    const { entry: _, ...question } = await sign(unlogged);
    assert.deepEqual(await createLiveLogs().lookUp(await log(), question, signal()), []);
  });
});
