import assert from 'node:assert/strict';
import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Confirmation, LiveLogs } from '../../../activities/rekor/live-log.ts';
import { createLiveLogs } from '../../../activities/rekor/live-logs.ts';
import { proposedEntries } from '../../../activities/rekor/proposed-entry.ts';
import type { ProvenEntry } from '../../../activities/sigstore/judgement.ts';
import { isSignedBy, parseCheckpoint } from '../../../activities/sigstore/log/checkpoint.ts';
import type { EntryQuestion } from '../../../activities/sigstore/log/looked-up-entry.ts';
import type { TransparencyLog } from '../../../activities/trust/trust-root.ts';
import { startRekor } from '../../../infra/stack/sigstore/rekor.ts';
import { startRekorV1 } from '../../../infra/stack/sigstore/rekor-v1.ts';
import { isRecord } from '../../../workflows/format/record.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { signBlob, signEnvelope } from '../../support/virtual-sigstore/evidence.ts';
import { createKeyPair, keyDetails, sha256 } from '../../support/virtual-sigstore/key-pair.ts';
import { envelopeJson, logBody, type Signed, verifierPem } from '../../support/virtual-sigstore/log-body.ts';

const PATIENCE_MS = 30_000;
const payload = Buffer.from('signed and logged');
let folder: Awaited<ReturnType<typeof temporaryFolder>>;

before(async () => {
  folder = await temporaryFolder();
});
after(() => folder[Symbol.asyncDispose]());

describe('a real Rekor of tiles', () => {
  let rekor: Awaited<ReturnType<typeof startRekor>>;
  let log: TransparencyLog;
  before(async () => {
    rekor = await startRekor(folder.path);
    log = logAt(rekor.url, await readKey(rekor.publicKey), 'v2', rekor.origin);
  });
  after(() => rekor?.stop());

  it('confirms entries as its tree grows, from a checkpoint and a tile', async () => {
    const logs = createLiveLogs({ maxAgeMs: 0, directory: join(folder.path, 'v2') });
    const first = await logged();
    assert.equal((await confirm(logs, log, first)).confirmed, true);
    const later = await Promise.all(Array.from({ length: 9 }, logged));
    const answers = await Promise.all([first, ...later].map((entry) => confirm(logs, log, entry)));
    for (const answer of answers) assert.equal(answer.confirmed, true);
    assert.ok(answers.every((answer) => answer.confirmed && answer.treeSize >= 10n));
  });

  it('is found out when an entry is of a fork of it', async () => {
    const { inclusion, ...entry } = await logged();
    assert.ok(inclusion !== undefined);
    await logged();
    const forked = { ...entry, inclusion: { ...inclusion, rootHash: sha256('a fork') } };
    const answer = await confirm(createLiveLogs(), log, forked);
    assert.equal(answer.confirmed ? 'confirmed' : answer.code, 'LOG_INCONSISTENT');
  });

  async function logged(): Promise<ProvenEntry> {
    const signed = sign();
    const verifier = {
      publicKey: { rawBytes: spki(signed).toString('base64') },
      keyDetails: keyDetails('ECDSA P-256'),
    };
    const signature = { content: signed.signature.toString('base64'), verifier };
    const digest = sha256(payload).toString('base64');
    const entry = await post(`${rekor.url}/api/v2/log/entries`, { hashedRekordRequestV002: { digest, signature } });
    // protobuf-specs TransparencyLogEntry, as the server writes it
    const { inclusionProof, canonicalizedBody } = entry as {
      canonicalizedBody: string;
      inclusionProof: { logIndex?: string; checkpoint: { envelope: string } };
    };
    const note = inclusionProof.checkpoint.envelope;
    return provenEntry(log, canonicalizedBody, note, BigInt(inclusionProof.logIndex ?? 0));
  }
});

describe('a real Rekor with the API', () => {
  let rekor: Awaited<ReturnType<typeof startRekorV1>>;
  let log: TransparencyLog;
  before(async () => {
    rekor = await startRekorV1(folder.path);
    log = logAt(rekor.url, await readKey(rekor.publicKey), 'v1', undefined);
  });
  after(() => rekor?.stop());

  it('confirms entries as its tree grows, by proof and by promise', async () => {
    const logs = createLiveLogs({ maxAgeMs: 0, directory: join(folder.path, 'v1') });
    const [first] = await logged(sign());
    assert.equal((await confirm(logs, log, first)).confirmed, true);
    for (let more = 0; more < 4; more++) {
      const [entry] = await logged(sign());
      assert.equal((await confirm(logs, log, entry)).confirmed, true);
    }
    for (const entry of [first, { ...first, inclusion: undefined }]) {
      const answer = await confirm(logs, log, entry);
      assert.ok(answer.confirmed && answer.treeSize >= 5n);
    }
  });

  it('finds what was logged and nothing else, as a bundle would carry it', async () => {
    const signed = sign();
    const logs = createLiveLogs();
    const lookUp = async () => await logs.lookUp(log, questionOf(signed), AbortSignal.timeout(PATIENCE_MS));
    assert.deepEqual(await lookUp(), []);
    const [entry] = await logged(signed);
    const [found, ...more] = await lookUp();
    assert.deepEqual(more, []);
    assert.equal(found?.['canonicalizedBody'], Buffer.from(entry.canonicalizedBody).toString('base64'));
    assert.deepEqual(found?.['kindVersion'], { kind: 'hashedrekord', version: '0.0.1' });
    const { inclusionPromise, inclusionProof } = found ?? {};
    assert.ok(isRecord(inclusionPromise) && isRecord(inclusionProof));
  });

  it('finds an attestation, whichever kind of entry it was logged as', async () => {
    for (const kind of ['dsse', 'intoto'] as const) {
      const signed = signEnvelope({ kind: 'key', key: createKeyPair() }, { _type: 'https://in-toto.io/Statement/v1' });
      assert.ok(signed.content.kind === 'envelope');
      const envelope = envelopeJson({ envelope: signed.content.envelope, signature: signed.signature });
      const question = { ...questionOf(signed), envelope };
      const lookUp = async () => await createLiveLogs().lookUp(log, question, AbortSignal.timeout(PATIENCE_MS));
      assert.deepEqual(await lookUp(), []);
      const proposed = proposedEntries(question).find((entry) => isRecord(entry) && entry['kind'] === kind);
      await post(`${rekor.url}/api/v1/log/entries`, proposed);
      const kinds = (await lookUp()).map(({ kindVersion }) => isRecord(kindVersion) && kindVersion['kind']);
      assert.deepEqual(kinds, [kind]);
    }
  });

  it('is found out when an entry is of a fork of it', async () => {
    await logged(sign());
    let [{ inclusion, ...entry }] = await logged(sign());
    // Of a size whose whole tree is one subtree nothing can be told.
    while (inclusion === undefined || /^10*$/.test(inclusion.treeSize.toString(2))) {
      [{ inclusion, ...entry }] = await logged(sign());
    }
    await logged(sign());
    const forked = { ...entry, inclusion: { ...inclusion, rootHash: sha256('a fork') } };
    const answer = await confirm(createLiveLogs(), log, forked);
    assert.equal(answer.confirmed ? 'confirmed' : answer.code, 'LOG_INCONSISTENT');
  });

  async function logged(signed: Signed): Promise<[ProvenEntry]> {
    const answer = await post(`${rekor.url}/api/v1/log/entries`, logBody('hashedrekord 0.0.1', signed));
    // openapi.yaml: one entry by its UUID
    const [entry] = Object.values(answer) as {
      body: string;
      verification: { inclusionProof: { checkpoint: string; logIndex: number } };
    }[];
    assert.ok(entry !== undefined);
    const { checkpoint, logIndex } = entry.verification.inclusionProof;
    return [provenEntry(log, entry.body, checkpoint, BigInt(logIndex))];
  }
});

function sign(): Signed {
  return signBlob({ kind: 'key', key: createKeyPair() }, payload);
}

function spki({ signer }: Signed): Buffer {
  assert.ok(signer.kind === 'key');
  return signer.key.spki;
}

function questionOf(signed: Signed): EntryQuestion {
  return {
    artefactHash: sha256(payload).toString('hex'),
    signature: signed.signature.toString('base64'),
    verifier: verifierPem(signed.signer),
  };
}

/** What a judgement makes of the entry: here only the checkpoint's signature is looked at. */
function provenEntry(log: TransparencyLog, body: string, note: string, index: bigint): ProvenEntry {
  const checkpoint = parseCheckpoint(note);
  assert.ok(checkpoint !== undefined && isSignedBy(checkpoint, log.publicKey, log.origin), note);
  const { origin, treeSize, rootHash } = checkpoint;
  return {
    logId: log.id,
    canonicalizedBody: Buffer.from(body, 'base64'),
    integratedTime: undefined,
    inclusion: { origin, index, treeSize, rootHash },
  };
}

function logAt(url: string, publicKey: KeyObject, version: 'v1' | 'v2', origin: string | undefined): TransparencyLog {
  const id = sha256(publicKey.export({ type: 'spki', format: 'der' })).toString('hex');
  return { id, baseUrl: new URL(url), publicKey, version, origin, validFrom: 0, validUntil: undefined };
}

async function readKey(file: string): Promise<KeyObject> {
  return createPublicKey(await readFile(file, 'utf8'));
}

async function confirm(logs: LiveLogs, log: TransparencyLog, entry: ProvenEntry): Promise<Confirmation> {
  return await logs.confirm(log, entry, AbortSignal.timeout(PATIENCE_MS));
}

async function post(url: string, body: unknown): Promise<Readonly<Record<string, unknown>>> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  assert.equal(response.status, 201, await response.clone().text());
  const answer: unknown = await response.json();
  assert.ok(isRecord(answer));
  return answer;
}
