import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EvidenceError } from '../../../activities/evidence-error.ts';
import { describeLookUp } from '../../../activities/rekor/look-up.ts';
import type { EntryQuestion, FoundEntry } from '../../../activities/sigstore/log/looked-up-entry.ts';
import { logInV1, signBlob, signEnvelope } from '../../support/virtual-sigstore/evidence.ts';
import { createKeyPair, sha256 } from '../../support/virtual-sigstore/key-pair.ts';
import { type EntryKind, envelopeJson, type Signed, verifierPem } from '../../support/virtual-sigstore/log-body.ts';
import { type LogSetting, openLog } from './setting.ts';

const payload = Buffer.from('{"critical":{}}');
const RETRIEVE = '/api/v1/log/entries/retrieve';

describe('looking an entry up', () => {
  it('finds a signature that was logged, as a bundle would carry the entry', async () => {
    await using setting = await openLog('v1');
    for (const signed of [keyed(), keyless(setting)]) {
      const { rekorV1, now } = setting.served.sigstore;
      logInV1(rekorV1, 'hashedrekord 0.0.1', signed, now);
      setting.grow(3);
      const record = rekorV1.records.at(-4);
      assert.ok(record !== undefined);
      setting.asked();
      const found = await lookUp(setting, questionOf(signed));
      assert.deepEqual(found.map(unsigned), [rekorV1.entry(record)].map(unsigned));
      assert.deepEqual(setting.asked(), [RETRIEVE]);
    }
  });

  it('finds an attestation that was logged, in either kind', async () => {
    await using setting = await openLog('v1');
    for (const kind of ['dsse 0.0.1', 'intoto 0.0.2'] as const satisfies readonly EntryKind[]) {
      const signed = signEnvelope({ kind: 'key', key: createKeyPair() }, { statement: kind });
      assert.ok(signed.content.kind === 'envelope');
      const envelope = envelopeJson({ envelope: signed.content.envelope, signature: signed.signature });
      const { rekorV1, now } = setting.served.sigstore;
      logInV1(rekorV1, kind, signed, now);
      const found = await lookUp(setting, { ...questionOf(signed), envelope });
      assert.deepEqual(
        found.map(({ kindVersion }) => kindVersion),
        [{ kind: kind.split(' ')[0], version: kind.split(' ')[1] }],
      );
    }
  });

  it('finds nothing for a signature that was not logged, or not by this key', async () => {
    await using setting = await openLog('v1');
    const { rekorV1, now } = setting.served.sigstore;
    const signed = keyed();
    assert.deepEqual(await lookUp(setting, questionOf(signed)), []);
    logInV1(rekorV1, 'hashedrekord 0.0.1', signed, now);
    const other = keyed();
    assert.deepEqual(await lookUp(setting, questionOf(other)), []);
    assert.deepEqual(await lookUp(setting, { ...questionOf(signed), verifier: questionOf(other).verifier }), []);
    assert.deepEqual(await lookUp(setting, { ...questionOf(signed), envelope: 'no JSON' }).catch(codeOf), 'LOG_ERROR');
  });

  it('finds nothing in a v2 log, and does not ask', async () => {
    await using setting = await openLog('v2');
    assert.deepEqual(await lookUp(setting, questionOf(keyed())), []);
    assert.deepEqual(setting.asked(), []);
  });

  it('says what was asked when nothing was found', async () => {
    await using v1 = await openLog('v1');
    await using v2 = await openLog('v2');
    const [host1, host2] = [v1.log.baseUrl.host, v2.log.baseUrl.host];
    assert.equal(describeLookUp([v1.log, v1.log]), `asked ${host1}, which has none`);
    const sentence = describeLookUp([v1.log, v2.log]);
    assert.ok(sentence.includes(`did not ask ${host2}, for a Rekor v2 log has no look-up`), sentence);
    assert.match(describeLookUp([]), /names no log/);
  });

  const answers: Readonly<Record<string, unknown>> = {
    'is no list': { entries: [] },
    'has an entry that is none': [1],
    'has an entry without a body': [{ uuid: { integratedTime: 1, logID: 'a'.repeat(64), logIndex: 1 } }],
    'has a body that is not base64': [{ uuid: entry({ body: '*' }) }],
    'has a negative index': [{ uuid: entry({ logIndex: -1 }) }],
    'has a time that is a fraction': [{ uuid: entry({ integratedTime: 1.5 }) }],
    'has a log id that is no hash': [{ uuid: entry({ logID: 'zz' }) }],
    'has a promise that is no text': [{ uuid: entry({ verification: { signedEntryTimestamp: 1 } }) }],
    'has a proof that is none': [{ uuid: entry({ verification: { inclusionProof: [] } }) }],
    'has more entries than a signature can have': Array(11).fill({ uuid: entry({}) }),
  };
  for (const [what, answer] of Object.entries(answers)) {
    it(`is LOG_MISBEHAVED when the answer ${what}`, async () => {
      await using setting = await openLog('v1');
      setting.fault({ effect: { kind: 'replace', body: Buffer.from(JSON.stringify(answer)) } });
      assert.equal(await lookUp(setting, questionOf(keyed())).catch(codeOf), 'LOG_MISBEHAVED');
    });
  }

  it('hands on an entry whose body says nothing, for whoever judges it to refuse', async () => {
    await using setting = await openLog('v1');
    setting.fault({ effect: { kind: 'replace', body: Buffer.from(JSON.stringify([{ uuid: entry({}) }])) } });
    const [found] = await lookUp(setting, questionOf(keyed()));
    assert.deepEqual(found?.['kindVersion'], { kind: '', version: '' });
  });

  it('throws what reaching a log throws', async () => {
    await using setting = await openLog('v1');
    for (const [status, code] of [
      [429, 'LOG_THROTTLED'],
      [500, 'LOG_ERROR'],
      [400, 'LOG_ERROR'],
      [422, 'LOG_ERROR'],
    ] as const) {
      setting.fault({ effect: { kind: 'status', status, headers: { 'retry-after': '2' } } });
      const failure: unknown = await lookUp(setting, questionOf(keyed())).catch((error: unknown) => error);
      assert.ok(failure instanceof EvidenceError);
      assert.equal(failure.code, code);
      // What can't be read now can't be read later.
      assert.equal(failure.retryable, status === 429 || status === 500, `${status}`);
    }
    setting.mend();
    await setting.stop();
    assert.equal(await lookUp(setting, questionOf(keyed())).catch(codeOf), 'LOG_UNREACHABLE');
  });
});

/** Without the signatures that ECDSA makes anew each time. */
function unsigned(value: unknown): unknown {
  const text = JSON.stringify(value).replaceAll(/("signedEntryTimestamp":")[^"]+|\u2014 [^"]+/g, '$1');
  return JSON.parse(text);
}

function keyed(): Signed {
  return signBlob({ kind: 'key', key: createKeyPair() }, payload);
}

function keyless(setting: LogSetting): Signed {
  return signBlob({ kind: 'certificate', certificate: setting.served.sigstore.issueLeaf() }, payload);
}

function questionOf(signed: Signed): EntryQuestion {
  return {
    artefactHash: sha256(payload).toString('hex'),
    signature: signed.signature.toString('base64'),
    verifier: verifierPem(signed.signer),
  };
}

function entry(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return { body: 'AAAA', integratedTime: 1, logID: 'a'.repeat(64), logIndex: 1, ...fields };
}

async function lookUp(setting: LogSetting, question: EntryQuestion): Promise<readonly FoundEntry[]> {
  return await setting.start().lookUp(setting.log, question, AbortSignal.timeout(20_000));
}

function codeOf(error: unknown): string {
  if (error instanceof EvidenceError) return error.code;
  throw error;
}
