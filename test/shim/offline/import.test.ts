import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { importCommand } from '../../../shim/cli/import.ts';
import { type CheckedFile, checkOfflineFile } from '../../../shim/offline/check-file.ts';
import { importFolder } from '../../../shim/offline/import-folder.ts';
import { MAX_OFFLINE_BYTES, parseOfflineFile } from '../../../shim/offline/offline-file.ts';
import { importingNode } from '../../support/importing-node.ts';
import { anOfflineVerdict, aStatement, fromNow, offlineText, revoking, smuggle } from '../../support/offline.ts';
import { createTestVerdictKey, digestOf, TEST_FLEET } from '../../support/verdicts.ts';

const [key, stranger] = [createTestVerdictKey(), createTestVerdictKey()];
const good = anOfflineVerdict(key);
const [A, B] = [digestOf('aa'), digestOf('bb')];

function checkBytes(bytes: Uint8Array): CheckedFile {
  const read = parseOfflineFile(bytes);
  return read.ok
    ? checkOfflineFile(read.file, key.accepted(), TEST_FLEET, Date.now())
    : { ok: false, problems: [read.problem] };
}

describe('import', () => {
  it('puts a file whose every signature holds where the daemon looks, once, and tells until when it counts', async (t) => {
    const node = await importingNode(t, key);
    const content = offlineText(aStatement(key), [good]);
    const { code, text, files } = await node.import(content);
    assert.deepEqual([code, files.length], [0, 1], text);
    assert.match(text, /^until 20\d\d-[^ ]+Z {2}127\.0\.0\.1:5000\/demo\/app:v1@sha256:abab/);
    assert.deepEqual((await node.import(` ${content}\n`)).files, files);
    const again = JSON.parse(await readFile(join(importFolder(node.state), files[0] ?? ''), 'utf8'));
    assert.deepEqual(again.verdicts, [good]);
  });

  it('changes nothing when it is only to check', async (t) => {
    const node = await importingNode(t, key);
    const { code, text } = await node.import(offlineText(aStatement(key), [good]), '--dry-run');
    assert.deepEqual([code, existsSync(node.state)], [0, false]);
    assert.match(text, /is good; nothing was changed$/);
  });

  it('tells machines, too', async (t) => {
    const node = await importingNode(t, key);
    const { text } = await node.import(offlineText(aStatement(key), [good]), '--output', 'json');
    const { file, verdicts, problems } = JSON.parse(text);
    assert.deepEqual([existsSync(file), verdicts[0].digest, problems], [true, digestOf('ab'), []]);
  });

  it('takes a statement alone, because it carries what is revoked', async (t) => {
    const node = await importingNode(t, key);
    const { code, files } = await node.import(offlineText(aStatement(key, revoking(A)), []));
    assert.deepEqual([code, files.length], [0, 1]);
  });

  const tampered = { ...good, payload: Buffer.from(good.payload, 'base64').toString().replaceAll('ab', 'cd') };
  const forged = { ...tampered, payload: Buffer.from(tampered.payload).toString('base64') };
  const statement = aStatement(key);
  const [signature] = good.signatures;
  /** `good` with one more signature, which no worker made. */
  const withJunk = (junk: object) => ({ ...good, signatures: [signature, { keyid: 'x', sig: 'AA==', ...junk }] });
  const wrong: readonly (readonly [string, string | Uint8Array, RegExp])[] = [
    ...(
      [
        ['signature of 600 KB', { sig: 'A'.repeat(600_000) }],
        ['signature that is not base64', { sig: 'A-_A' }],
        ['key id of 600 KB', { keyid: 'x'.repeat(600_000) }],
      ] as const
    ).map(
      ([what, junk]) =>
        [
          `a ${what} beside a good one`,
          offlineText(statement, [withJunk(junk)]),
          /expected a signed envelope as verdict 1/,
        ] as const,
    ),
    ...(
      [
        ['signature that is not Latin-1', { sig: '\u4e2d' }],
        ['key id that is not Latin-1', { keyid: '\u4e2d' }],
      ] as const
    ).map(
      ([what, junk]) =>
        [
          `a ${what} beside a good one`,
          offlineText(statement, [withJunk(junk)]),
          /export" writes it, found a byte that is not printable ASCII/,
        ] as const,
    ),
    [
      'an escape in it',
      offlineText(statement, [withJunk({})]).replace('"x"', '"\\u4e2d"'),
      /found a byte that is not printable ASCII/,
    ],
    [
      'a payload type of 600 KB',
      offlineText({ ...statement, payloadType: 'x'.repeat(600_000) }, [good]),
      /expected a signed policy statement as "policy"/,
    ],
    ['another member', offlineText(statement, []).replace('{', '{"more":[],'), /found "more" in it/],
    ['the same member twice', offlineText(statement, []).replace('{', '{"verdicts":[],'), /found "verdicts" twice/],
    ['two documents', offlineText(statement, []).repeat(2), /found more than one value/],
    ['garbage', new Uint8Array([0xff, 0, 0x7b]), /expected a whole JSON document as "portcullis export" writes it/],
    ['nothing', '', /expected a whole JSON document/],
    ['a file that was cut off', offlineText(statement, [good]).slice(0, -9), /expected a whole JSON document/],
    ['another format', '{"format":"portcullis.dev/offline-verdicts/v9"}', /v1", found "portcullis.dev\/offline-verd/],
    ['no statement', offlineText(null, [good]), /expected a signed policy statement as "policy"/],
    ['no list', offlineText(statement, good), /expected a list as "verdicts"/],
    ['a verdict that is none', offlineText(statement, [good, 7]), /expected a signed envelope as verdict 2/],
    ['too many', offlineText(statement, Array(10_001).fill(0)), /expected at most 10000 verdicts, found 10001/],
    [
      'a verdict with more signatures than there are keys',
      offlineText(statement, [{ ...good, signatures: Array(9).fill(good.signatures[0]) }]),
      /expected a signed envelope as verdict 1/,
    ],
    [
      'a verdict that is larger than any',
      offlineText(statement, [{ ...good, payload: 'A'.repeat(300_000) }]),
      /expected a signed envelope as verdict 1/,
    ],
    [
      'a forged verdict',
      offlineText(statement, [good, forged]),
      /verdict 2: 127[^\n]+@sha256:cdcd[^\n]+VERDICT_FORGED/,
    ],
    [
      'a verdict by a stranger',
      offlineText(statement, [anOfflineVerdict(stranger)]),
      /verdict 1: [^\n]+VERDICT_FORGED: the verdict's signature does not hold/,
    ],
    ['a statement by a stranger', offlineText(aStatement(stranger), [good]), /statement [^\n]+ is not signed by a/],
    [
      'a statement from the future',
      offlineText(aStatement(key, { statedAt: fromNow(60_000) }), [good]),
      /is from the future/,
    ],
    ['a verdict as its statement', offlineText(good, [good]), /is not signed by a verdict key of this node/],
    ['a statement as a verdict', offlineText(statement, [statement]), /verdict 1: VERDICT_MISMATCH/],
    [
      'a verdict by another policy',
      offlineText(statement, [anOfflineVerdict(key, { policyRevision: 'e'.repeat(64) })]),
      /VERDICT_MISMATCH: the verdict is about another policyRevision/,
    ],
    [
      'a verdict that denies',
      offlineText(statement, [
        key.verdict({
          ...JSON.parse('{"decisionId":"x","trustRevision":"","signers":[]}'),
          ...{ name: 'a', digest: A, fleet: TEST_FLEET, outcome: 'deny', policyRevision: 'c'.repeat(64) },
          ...{ reasons: [{ code: 'UNSIGNED', sentence: 'no' }], decidedAt: fromNow(-9), expiresAt: fromNow(9_000) },
        }).envelope,
      ]),
      /expected a verdict that allows/,
    ],
    [
      'a verdict whose time is over',
      offlineText(statement, [anOfflineVerdict(key, { offlineUntil: fromNow(-1_000) })]),
      /VERDICT_EXPIRED: it ended at [^ ]+ export it again[\s\S]+none of its verdicts can be used; export again/,
    ],
    [
      'a revoked digest',
      offlineText(aStatement(key, revoking(digestOf('ab'))), [good]),
      /REVOKED: sha256:(ab){32} was revoked/,
    ],
  ];
  for (const [what, content, expected] of wrong) {
    it(`imports nothing of a file with ${what}, and says why`, async (t) => {
      const { code, text, files } = await (await importingNode(t, key)).import(content);
      assert.deepEqual([code, files], [1, []], text);
      assert.match(text, expected);
      assert.match(text, /nothing was imported$/);
    });
  }

  it('believes nothing else when any one byte of a file is another one', () => {
    const text = offlineText(statement, [good]);
    const genuine = checkBytes(Buffer.from(text));
    assert.ok(genuine.ok);
    for (let at = 0; at < text.length; at += 7) {
      const bytes = Buffer.from(text);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      const checked = checkBytes(bytes);
      if (checked.ok) assert.deepEqual(checked, genuine, `byte ${at}`);
    }
  });

  it('shows a hostile name as text', async (t) => {
    const verdict = anOfflineVerdict(stranger, { name: 'evil\u001b[2J\n\u202eapp' });
    const { code, text } = await (await importingNode(t, key)).import(offlineText(aStatement(key), [verdict]));
    assert.equal(code, 1);
    assert.match(text, /verdict 1: evil\\u\{1b\}\[2J \\u\{202e\}app@sha256/);
  });

  it('does not read a file that is larger than any', async (t) => {
    const node = await importingNode(t, key);
    await assert.rejects(node.import(Buffer.alloc(MAX_OFFLINE_BYTES + 1, ' ')), /expected at most 67108864 bytes/);
    await assert.rejects(importCommand.run([node.keys, '--config', node.config]), /found something else|EISDIR/);
  });

  it('believes no key that has ended', async (t) => {
    const node = await importingNode(t, key);
    await writeFile(join(node.keys, 'one.json'), `{"notAfter": "${fromNow(-3_600_000).slice(0, 19)}Z"}`);
    const { code, text } = await node.import(offlineText(aStatement(key), [good]));
    assert.equal(code, 1);
    assert.match(text, /is not accepted: key [0-9a-f]{12} \(one\.pub\) is known to this node and outside its window/);
  });

  it('refuses a policy that was replaced since, by an import or by what the daemon heard', async (t) => {
    const older = offlineText(aStatement(key), [good]);
    const newer = aStatement(key, { statedAt: fromNow(-60_000), policyRevision: 'e'.repeat(64) });
    const [imported, heard] = [await importingNode(t, key), await importingNode(t, key)];
    assert.equal((await imported.import(offlineText(newer, []))).code, 0);
    await mkdir(heard.state);
    await writeFile(join(heard.state, 'policy-head.json'), JSON.stringify(newer));
    for (const node of [imported, heard]) {
      const { code, text } = await node.import(older);
      assert.equal(code, 1);
      assert.match(text, /POLICY_CHANGED: policy cccccccccccc of 20/);
    }
  });

  it('removes what counts no more, and keeps what does and the newest statement', async (t) => {
    const node = await importingNode(t, key);
    const past = offlineText(aStatement(key), [anOfflineVerdict(key, { offlineUntil: fromNow(-1_000) })]);
    const old = await smuggle(node.state, past);
    const revocation = offlineText(aStatement(key, { statedAt: fromNow(-10_000), ...revoking(B) }), []);
    assert.deepEqual([(await node.import(revocation)).files.length, existsSync(old)], [1, false]);
    assert.equal((await node.import(offlineText(aStatement(key), [good]))).files.length, 2);
    const stale = await node.import(offlineText(aStatement(key), []));
    assert.deepEqual([stale.code, stale.files.length], [1, 2]);
    assert.match(stale.text, /the policy statement of 20[^ ]+ alone: this node knows that of 20/);
    const latest = offlineText(aStatement(key, { statedAt: fromNow(-5_000), ...revoking(B) }), [good]);
    assert.equal((await node.import(latest)).files.length, 2, 'the first with a good verdict stays');
  });

  it('refuses to fill the folder beyond what a daemon reads', async (t) => {
    const node = await importingNode(t, key);
    for (let index = 0; index < 32; index++) await smuggle(node.state, '{}', `${index}.json`);
    await assert.rejects(node.import(offlineText(aStatement(key), [good])), /takes 32 files [^\n]+; remove old ones$/);
  });

  it('leaves nothing half written when the state folder can not be written to', async (t) => {
    const node = await importingNode(t, key);
    await writeFile(node.state, 'a file where a folder should be');
    await assert.rejects(node.import(offlineText(aStatement(key), [good])), /ENOTDIR|EEXIST/);
  });

  it('is told what it needs', async (t) => {
    const complained = t.mock.method(console, 'error', () => {});
    for (const args of [
      [],
      ['a', 'b'],
      ['a', '--output', 'xml'],
      ['a', '--verdict-keys', 'k'],
      ['a', '--state', 's'],
    ]) {
      assert.equal(await importCommand.run(args), 2);
    }
    assert.match(
      String(complained.mock.calls.at(-1)?.arguments[0]),
      /--verdict-keys is needed; see "portcullis import/,
    );
  });
});
