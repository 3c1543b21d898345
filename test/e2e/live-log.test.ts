import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { LogAlarm } from '../../activities/rekor/alarm.ts';
import { createLiveLogs } from '../../activities/rekor/live-logs.ts';
import type { ProvenEntry } from '../../activities/sigstore/judgement.ts';
import { type TransparencyLog, toTrustRoot } from '../../activities/trust/trust-root.ts';
import { readTrustedRootJson } from '../../activities/trust/trusted-root/trusted-root-json.ts';
import { type Registry, startRegistry } from '../../infra/stack/registry.ts';
import { type Rekor, startRekor } from '../../infra/stack/sigstore/rekor.ts';
import { type Sigstore, startSigstore } from '../../infra/stack/sigstore.ts';
import { fillLog, replaceLog } from '../support/fill-log.ts';
import { pushImage } from '../support/image.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** More than the honest log gets here. */
const FORK_SIZE = 20;

let dir: string;
let registry: Registry;
let sigstore: Sigstore;
const running = new AsyncDisposableStack();
before(async () => {
  ({ path: dir } = running.use(await temporaryFolder()));
  registry = await startRegistry({ dir, kind: 'referrers' });
  running.defer(() => registry.stop());
  sigstore = await startSigstore({ dir: join(dir, 'sigstore') });
  running.defer(() => sigstore.stop());
});
after(() => running.disposeAsync());

/** Signs a new image; answers what the bundle that cosign wrote says of its entry. */
async function sign(): Promise<ProvenEntry> {
  const where = { registry: registry.address, repository: 'app', tag: randomUUID() };
  const { digest } = await pushImage({ ...where, files: { unique: randomUUID() } });
  await sigstore.cosign.sign(`${registry.address}/app@${digest}`, sigstore.issuer.token('release@example.com'));
  return await readEntry(digest);
}

/** As far as this test reads a bundle (sigstore_bundle.proto, as protobuf JSON). */
interface Bundle {
  readonly verificationMaterial: {
    readonly tlogEntries: readonly {
      readonly logId: { readonly keyId: string };
      readonly canonicalizedBody: string;
      readonly inclusionProof: {
        /** Left out for the first entry of a log, as protobuf JSON leaves out zeros. */
        readonly logIndex?: string;
        readonly treeSize: string;
        readonly rootHash: string;
        readonly checkpoint: { readonly envelope: string };
      };
    }[];
  };
}

async function readEntry(digest: string): Promise<ProvenEntry> {
  const base = `http://${registry.address}/v2/app`;
  const get = async (path: string) => (await fetch(`${base}/${path}`)).json();
  // the OCI image specification 1.1: an index, a manifest
  const index = (await get(`referrers/${digest}`)) as { manifests: readonly { digest: string }[] };
  const manifest = (await get(`manifests/${index.manifests[0]?.digest}`)) as { layers: readonly { digest: string }[] };
  const bundle = (await get(`blobs/${manifest.layers[0]?.digest}`)) as Bundle;
  const [entry] = bundle.verificationMaterial.tlogEntries;
  assert.ok(entry);
  const { logIndex, treeSize, rootHash, checkpoint } = entry.inclusionProof;
  return {
    logId: Buffer.from(entry.logId.keyId, 'base64').toString('hex'),
    canonicalizedBody: Buffer.from(entry.canonicalizedBody, 'base64'),
    integratedTime: undefined,
    inclusion: {
      origin: checkpoint.envelope.split('\n')[0] ?? '',
      index: BigInt(logIndex ?? 0),
      treeSize: BigInt(treeSize),
      rootHash: Buffer.from(rootHash, 'base64'),
    },
  };
}

/** The log as the trust root that cosign wrote names it. */
async function log(): Promise<TransparencyLog> {
  const read = readTrustedRootJson('own', await readFile(sigstore.cosign.trustedRoot), 'refuse');
  if (!read.ok || read.document.source.kind !== 'keys') return assert.fail('expected a trust root');
  const [only] = toTrustRoot('own', read.document.source.root).logs;
  return only ?? assert.fail('expected a log');
}

const signal = () => AbortSignal.timeout(10_000);

describe('a real Rekor that serves tiles', () => {
  it('confirms an entry as soon as it is signed, and each of a growing log', async () => {
    const logs = createLiveLogs({ maxAgeMs: 0 });
    const entries = [await sign(), await sign(), await sign()];
    const tree = await log();
    for (const entry of entries) {
      assert.equal(tree.id, entry.logId);
      const confirmation = await logs.confirm(tree, entry, signal());
      assert.ok(
        confirmation.confirmed,
        JSON.stringify(confirmation, (_, value) => String(value)),
      );
      assert.ok(confirmation.treeSize >= 3n);
    }
  });

  it('is not believed about an entry that it never had', async () => {
    const entry = await sign();
    const { inclusion } = entry;
    assert.ok(inclusion);
    const forged = { ...entry, inclusion: { ...inclusion, rootHash: Buffer.alloc(32) } };
    const confirmation = await createLiveLogs({ maxAgeMs: 0 }).confirm(await log(), forged, signal());
    assert.equal(confirmation.confirmed, false);
    assert.equal(confirmation.confirmed === false && confirmation.code, 'LOG_INCONSISTENT');
  });
});

describe('a real Rekor whose files somebody tampers with', () => {
  const checkpoint = () => join(sigstore.rekor.tiles, 'checkpoint');
  let directory: string;
  let honest: string;
  let older: Buffer;
  let early: ProvenEntry;
  let entry: ProvenEntry;
  let fork: Rekor;
  before(async () => {
    early = await sign();
    older = await readFile(checkpoint());
    entry = await sign();
    honest = join(dir, 'honest');
    fork = await forkedLog();
    // so that it does not write what is tampered with
    sigstore.rekor.suspend();
    await cp(sigstore.rekor.tiles, honest, { recursive: true });
  });
  after(() => sigstore.rekor.resume());

  /** Puts the files back and answers a worker's memory of the log, in a directory that no other worker has. */
  async function rememberedLogs(alarms: LogAlarm[] = []) {
    await replaceTiles(honest);
    directory = join(dir, randomUUID());
    await mkdir(directory);
    const logs = createLiveLogs({ directory, maxAgeMs: 0, onAlarm: (alarm) => alarms.push(alarm) });
    assert.equal((await logs.confirm(await log(), entry, signal())).confirmed, true);
    return logs;
  }

  it('is refused when it shows a smaller tree than before', async () => {
    const logs = await rememberedLogs();
    await writeFile(checkpoint(), older);
    const confirmation = await logs.confirm(await log(), entry, signal());
    assert.equal(confirmation.confirmed === false && confirmation.code, 'LOG_ROLLED_BACK');
  });

  it('is refused when it shows another history under the same key, by every later worker too', async () => {
    const alarms: LogAlarm[] = [];
    const logs = await rememberedLogs(alarms);
    await replaceTiles(fork.tiles);
    const confirmation = await logs.confirm(await log(), entry, signal());
    assert.equal(confirmation.confirmed === false && confirmation.code, 'LOG_INCONSISTENT');
    assert.deepEqual(
      alarms.map(({ kind }) => kind),
      ['inconsistent'],
    );
    await replaceTiles(honest);
    const later = await createLiveLogs({ directory, maxAgeMs: 0 }).confirm(await log(), entry, signal());
    assert.equal(later.confirmed === false && later.code, 'LOG_INCONSISTENT');
  });

  it('is not listened to when its checkpoint is signed by another key, and asked again', async () => {
    const logs = await rememberedLogs();
    const signed = await readFile(checkpoint(), 'utf8');
    await writeFile(checkpoint(), signed.replace(/([A-Za-z0-9+/]{8})(=*\n)$/, 'AAAAAAAA$2'));
    await assert.rejects(logs.confirm(await log(), entry, signal()), { code: 'LOG_MISBEHAVED' });
    await writeFile(checkpoint(), signed);
    assert.equal((await logs.confirm(await log(), entry, signal())).confirmed, true);
  });

  it('is asked again when its tiles are gone, or are others than its checkpoint says', async () => {
    await replaceTiles(honest);
    const tile = join(sigstore.rekor.tiles, 'tile', '0', '000.p', String(entry.inclusion?.treeSize));
    const hashes = await readFile(tile);
    const logs = createLiveLogs({ maxAgeMs: 0 });
    await rm(tile);
    await assert.rejects(logs.confirm(await log(), early, signal()), { code: 'LOG_ERROR' });
    await writeFile(tile, Buffer.alloc(hashes.length));
    await assert.rejects(logs.confirm(await log(), early, signal()), { code: 'LOG_MISBEHAVED' });
    await writeFile(tile, hashes);
    assert.equal((await logs.confirm(await log(), early, signal())).confirmed, true);
  });
});

/** A second log under the first one's key, with more entries, all of them other ones. */
async function forkedLog(): Promise<Rekor> {
  const own = join(dir, 'fork');
  await mkdir(own);
  const rekor = await startRekor(own, sigstore.rekor.privateKey);
  running.defer(() => rekor.stop());
  await fillLog(rekor.url, FORK_SIZE);
  return rekor;
}

async function replaceTiles(source: string): Promise<void> {
  await replaceLog(sigstore.rekor, source);
}
