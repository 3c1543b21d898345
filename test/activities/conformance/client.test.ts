import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ReasonCode } from '../../../workflows/verdict/reason.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { toPem } from '../../support/virtual-sigstore/der.ts';
import {
  bundleOf,
  logInV1,
  logInV2,
  signBlob,
  signEnvelope,
  stampOf,
} from '../../support/virtual-sigstore/evidence.ts';
import { createKeyPair, type KeyPair } from '../../support/virtual-sigstore/key-pair.ts';
import type { Signed, Signer } from '../../support/virtual-sigstore/log-body.ts';
import { createVirtualSigstore, WORKFLOW_ISSUER, WORKFLOW_SUBJECT } from '../../support/virtual-sigstore/sigstore.ts';
import { trustedRootJson } from '../../support/virtual-sigstore/trusted-root.ts';
import { verifyBundle } from './run.ts';

const ARTIFACT = Buffer.from('what was signed\n');
const DIGEST = `sha256:${createHash('sha256').update(ARTIFACT).digest('hex')}`;
const OTHER_DIGEST = `sha256:${'0'.repeat(64)}`;
const PORTCULLIS = fileURLToPath(new URL('../../../infra/portcullis.ts', import.meta.url));

const KEYLESS = keyless(WORKFLOW_SUBJECT, WORKFLOW_ISSUER);
const ROOT = ['--trusted-root', 'root.json'];

type Row = readonly [title: string, verdict: 'verified' | ReasonCode, args: readonly string[]];

const ROWS: readonly Row[] = [
  ['a file, keyless, Rekor 1', 'verified', ['blob-v1.json', ...KEYLESS, ...ROOT, 'artifact']],
  ['its digest', 'verified', ['blob-v1.json', ...KEYLESS, ...ROOT, DIGEST]],
  ['a file, keyless, Rekor 2 and a timestamp', 'verified', ['blob-v2.json', ...KEYLESS, ...ROOT, 'artifact']],
  ['a statement about it, Rekor 1', 'verified', ['statement-v1.json', ...KEYLESS, ...ROOT, 'artifact']],
  ['a statement about its digest, Rekor 2', 'verified', ['statement-v2.json', ...KEYLESS, ...ROOT, DIGEST]],
  ['a file, by a key', 'verified', ['key-v1.json', '--key', 'key.pub', ...ROOT, 'artifact']],
  ['its digest, by a key', 'verified', ['key-v1.json', '--key', 'key.pub', ...ROOT, DIGEST]],
  [
    'a file, by a key, Rekor 2, at no proven time',
    'verified',
    ['key-v2.json', '--key', 'key.pub', ...ROOT, 'artifact'],
  ],
  ['a file by a P-384 key', 'verified', ['key-384.json', '--key', 'key-384.pub', ...ROOT, 'artifact']],
  ['a file whose name looks like a digest', 'verified', ['blob-v1.json', ...KEYLESS, ...ROOT, OTHER_DIGEST]],

  [
    'a file, by a key, in no log, by a root that names nobody',
    'verified',
    ['key-no-entry.json', '--key', 'key.pub', '--trusted-root', 'bare.json', DIGEST],
  ],
  [
    'the same by a root of empty lists',
    'verified',
    ['key-no-entry.json', '--key', 'key.pub', '--trusted-root', 'empty.json', 'artifact'],
  ],

  ['a file, by a key, in no log', 'LOG_ENTRY_MISSING', ['key-no-entry.json', '--key', 'key.pub', ...ROOT, 'artifact']],
  [
    'another key and a root that names nobody',
    'WRONG_KEY',
    ['key-no-entry.json', '--key', 'other.pub', '--trusted-root', 'bare.json', 'artifact'],
  ],
  [
    'a key and a root whose log is of a later kind',
    'TRUST_ROOT_UNAVAILABLE',
    ['key-no-entry.json', '--key', 'key.pub', '--trusted-root', 'later.json', 'artifact'],
  ],
  [
    'a key and JSON that is no trusted root',
    'TRUST_ROOT_UNAVAILABLE',
    ['key-no-entry.json', '--key', 'key.pub', '--trusted-root', 'nothing.json', 'artifact'],
  ],
  [
    'an identity and a root that names nobody',
    'TRUST_ROOT_UNAVAILABLE',
    ['no-entry.json', ...KEYLESS, '--trusted-root', 'bare.json', 'artifact'],
  ],
  ['another digest', 'SUBJECT_MISMATCH', ['blob-v1.json', ...KEYLESS, ...ROOT, `sha256:${'1'.repeat(64)}`]],
  ['another file', 'SUBJECT_MISMATCH', ['blob-v1.json', ...KEYLESS, ...ROOT, 'key.pub']],
  [
    'a statement about another digest',
    'SUBJECT_MISMATCH',
    ['statement-v1.json', ...KEYLESS, ...ROOT, `sha256:${'1'.repeat(64)}`],
  ],
  ['a signature that was changed, over a digest', 'SIGNATURE_INVALID', ['changed.json', ...KEYLESS, ...ROOT, DIGEST]],
  ['a signature that was changed, over a file', 'SIGNATURE_INVALID', ['changed.json', ...KEYLESS, ...ROOT, 'artifact']],
  ['another key', 'WRONG_KEY', ['key-v1.json', '--key', 'other.pub', ...ROOT, 'artifact']],
  ['a key where a certificate signed', 'WRONG_KEY', ['blob-v1.json', '--key', 'key.pub', ...ROOT, 'artifact']],
  ['an identity where a key signed', 'WRONG_IDENTITY', ['key-v1.json', ...KEYLESS, ...ROOT, 'artifact']],
  [
    'another identity',
    'WRONG_IDENTITY',
    ['blob-v1.json', ...keyless('a@b.test', WORKFLOW_ISSUER), ...ROOT, 'artifact'],
  ],
  [
    'another issuer',
    'WRONG_IDENTITY',
    ['blob-v1.json', ...keyless(WORKFLOW_SUBJECT, 'https://b.test'), ...ROOT, 'artifact'],
  ],
  ['no entry', 'LOG_ENTRY_MISSING', ['no-entry.json', ...KEYLESS, ...ROOT, 'artifact']],
  ['a certificate, Rekor 2, at no proven time', 'TIMESTAMP_MISSING', ['no-time.json', ...KEYLESS, ...ROOT, 'artifact']],
  ['the public-good trusted root', 'LOG_UNKNOWN', ['blob-v1.json', ...KEYLESS, 'artifact']],
  [
    'the staging instance, whose root is not at hand',
    'TRUST_ROOT_UNAVAILABLE',
    ['blob-v1.json', '--staging', ...KEYLESS, 'artifact'],
  ],
  [
    'the staging instance, by a root that is given',
    'verified',
    ['blob-v1.json', '--staging', ...KEYLESS, ...ROOT, 'artifact'],
  ],
  [
    'a trusted root that is none',
    'TRUST_ROOT_UNAVAILABLE',
    ['blob-v1.json', ...KEYLESS, '--trusted-root', 'artifact', 'artifact'],
  ],
  ['a key that is none', 'KEY_UNREADABLE', ['key-v1.json', '--key', 'artifact', ...ROOT, 'artifact']],
];

describe('the conformance client', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  const cwd = process.cwd();

  before(async () => {
    folder = await temporaryFolder();
    await writeSetting(folder.path);
    process.chdir(folder.path);
  });
  after(async () => {
    process.chdir(cwd);
    await folder[Symbol.asyncDispose]();
  });

  for (const [title, verdict, [bundle = '', ...args]] of ROWS) {
    it(`${verdict}: ${title}`, async () => {
      const run = await verifyBundle(['--bundle', bundle, ...args]);
      const [line = ''] = verdict === 'verified' ? run.stdout : run.stderr;
      assert.deepEqual(
        { code: run.code, verdict: line.split(':')[0], lines: run.stdout.length + run.stderr.length },
        { code: verdict === 'verified' ? 0 : 1, verdict, lines: 1 },
        line,
      );
    });
  }

  const WRONG: readonly (readonly [title: string, args: readonly string[]])[] = [
    ['no bundle', [...KEYLESS, 'artifact']],
    ['no file', ['--bundle', 'blob-v1.json', ...KEYLESS]],
    ['two files', ['--bundle', 'blob-v1.json', ...KEYLESS, 'artifact', 'artifact']],
    ['neither key nor identity', ['--bundle', 'blob-v1.json', 'artifact']],
    ['an identity without its issuer', ['--bundle', 'blob-v1.json', ...KEYLESS.slice(0, 2), 'artifact']],
    ['an issuer without an identity', ['--bundle', 'blob-v1.json', ...KEYLESS.slice(2), 'artifact']],
    ['key and identity', ['--bundle', 'key-v1.json', '--key', 'key.pub', ...KEYLESS, 'artifact']],
    ['key and issuer', ['--bundle', 'key-v1.json', '--key', 'key.pub', ...KEYLESS.slice(2), 'artifact']],
  ];
  for (const [title, args] of WRONG) {
    it(`is used wrongly with ${title}`, async () => {
      assert.equal((await verifyBundle(args)).code, 2);
    });
  }

  it('is a program with an exit code', () => {
    const run = (...args: readonly string[]): number | null =>
      spawnSync(process.execPath, [PORTCULLIS, 'conformance', 'verify-bundle', ...args], { cwd: folder.path }).status;
    assert.equal(run('--bundle', 'blob-v1.json', ...KEYLESS, ...ROOT, 'artifact'), 0);
    assert.equal(run('--bundle', 'changed.json', ...KEYLESS, ...ROOT, 'artifact'), 1);
    assert.equal(run('--bundle', 'blob-v1.json', ...KEYLESS, ...ROOT, '--verbose', 'artifact'), 2);
    assert.equal(run('--bundle', 'nowhere.json', ...KEYLESS, ...ROOT, 'artifact'), 3);
  });
});

async function writeSetting(folder: string): Promise<void> {
  const sigstore = createVirtualSigstore(new Date('2026-06-01T12:00:00Z'));
  const { rekorV1, rekorV2, tsa, now } = sigstore;
  const write = (name: string, content: object | string): Promise<void> =>
    writeFile(
      join(folder, name),
      typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content),
    );
  const certificate: Signer = { kind: 'certificate', certificate: sigstore.issueLeaf() };
  const key = createKeyPair();
  const key384 = createKeyPair('ECDSA P-384');
  const subject = [{ name: 'artifact', digest: { sha256: DIGEST.slice('sha256:'.length) } }];
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject,
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {},
  };
  const inV1 = (signed: Signed, kind: 'hashedrekord 0.0.1' | 'dsse 0.0.1' = 'hashedrekord 0.0.1') =>
    bundleOf(signed, { entries: [logInV1(rekorV1, kind, signed, now)] });
  const inV2 = (signed: Signed, timestamps: readonly string[]) =>
    bundleOf(signed, { entries: [logInV2(rekorV2, 'hashedrekord 0.0.2', signed, now)], timestamps });

  const blob = signBlob(certificate, ARTIFACT);
  const changed = inV1(blob);
  const { messageSignature } = changed;
  assert.ok(messageSignature);
  messageSignature.signature = signBlob(certificate, Buffer.from('something else')).signature.toString('base64');
  const signedStatement = signEnvelope(certificate, statement);
  const byKey = signBlob({ kind: 'key', key }, ARTIFACT);

  await write('artifact', ARTIFACT);
  await write(OTHER_DIGEST, ARTIFACT);
  await write('root.json', trustedRootJson(sigstore.trustPlan()));
  await write('blob-v1.json', inV1(blob));
  await write('blob-v2.json', inV2(blob, [stampOf(tsa, blob, now)]));
  await write('no-time.json', inV2(blob, []));
  await write('no-entry.json', bundleOf(blob, { timestamps: [stampOf(tsa, blob, now)] }));
  await write('changed.json', changed);
  await write('statement-v1.json', inV1(signedStatement, 'dsse 0.0.1'));
  await write('statement-v2.json', inV2(signedStatement, [stampOf(tsa, signedStatement, now)]));
  await write('key-v1.json', inV1(byKey));
  await write('key-no-entry.json', bundleOf(byKey, {}));
  const mediaType = 'application/vnd.dev.sigstore.trustedroot+json;version=0.1';
  await write('bare.json', { mediaType });
  await write('empty.json', { mediaType, tlogs: [], certificateAuthorities: [], ctlogs: [], timestampAuthorities: [] });
  await write('later.json', { mediaType, tlogs: [{ publicKey: { keyDetails: 'OF_A_LATER_KIND' } }] });
  await write('nothing.json', {});
  await write('key-v2.json', inV2(byKey, []));
  await write('key-384.json', inV1(signBlob({ kind: 'key', key: key384 }, ARTIFACT, 'sha384')));
  await write('key.pub', pemOf(key));
  await write('other.pub', pemOf(createKeyPair()));
  await write('key-384.pub', pemOf(key384));
}

function pemOf(key: KeyPair): string {
  return toPem(key.spki, 'PUBLIC KEY');
}

function keyless(identity: string, issuer: string): readonly string[] {
  return ['--certificate-identity', identity, '--certificate-oidc-issuer', issuer];
}
