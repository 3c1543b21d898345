import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isRecord } from '../../../workflows/format/record.ts';
import type { ReasonCode } from '../../../workflows/verdict/reason.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { goModuleFolder } from './go-module-data.ts';
import { verifyBundle } from './run.ts';

/** Files of sigstore-go (`SG`) and cosign (`COSIGN`), as their own tests use them. Both Apache-2.0. */
const OCI_ATTESTATION = 'COSIGN/pkg/cosign/testdata/oci-attestation.sigstore.json';
const OCI_DIGEST = 'sha256:732112270d7e59418a8c080b134b24cabd67d250d0d0147a97ed95ba5c280aa4';
const CODY = keyless('cody@soyland.com', 'https://github.com/login/oauth');

const OTHER_NAME = 'SG/pkg/testing/data/bundles/othername.sigstore.json';
const OTHER_NAME_DIGEST = 'sha256:bc103b4a84971ef6459b294a2b98568a2bfb72cded09d4acd1e16366a401f95b';
const SCAFFOLDING = ['--trusted-root', 'SG/pkg/testing/data/trusted-roots/scaffolding.json'];
/** The same with the name that its log signs checkpoints by: a pod's, which its URL does not tell. */
const SCAFFOLDING_NAMED = ['--trusted-root', 'TEMP/scaffolding-named.json'];
const FOO = keyless('foo!oidc.local', 'http://oidc.local:8080');

const KEY_VALIDITY = 'SG/pkg/testing/data/bundles/public-key-validity.sigstore.json';
const KEY_VALIDITY_DIGEST = 'sha256:6ae8a75555209fd6c44157c0aed8016e763ff435a19cf186f76863140143ff72';
const KEY_VALIDITY_ROOT = ['--trusted-root', 'SG/pkg/testing/data/trusted-roots/public-key-validity.json'];
const SOME_KEY = ['--key', 'SG/pkg/testing/data/public-keys/public-key-validity.pem'];

const SIGSTORE_JS = 'SG/pkg/testing/data/bundles/sigstore.js@2.0.0-provenance.sigstore.json';
const RELEASE = keyless(
  'https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main',
  'https://token.actions.githubusercontent.com',
);
const PUBLIC_GOOD = ['--trusted-root', 'SG/examples/trusted-root-public-good.json'];

type Row = readonly [title: string, verdict: 'verified' | ReasonCode, args: readonly string[]];

const ROWS: readonly Row[] = [
  ['an attestation that cosign attached to an image', 'verified', [OCI_ATTESTATION, ...CODY, OCI_DIGEST]],
  ['the same by an older trusted root', 'verified', [OCI_ATTESTATION, ...CODY, ...PUBLIC_GOOD, OCI_DIGEST]],
  ['another digest', 'SUBJECT_MISMATCH', [OCI_ATTESTATION, ...CODY, OTHER_NAME_DIGEST]],
  ['another file', 'SUBJECT_MISMATCH', [OCI_ATTESTATION, ...CODY, OTHER_NAME]],
  [
    'another identity',
    'WRONG_IDENTITY',
    [OCI_ATTESTATION, ...keyless('brian@dehamer.com', 'https://github.com/login/oauth'), OCI_DIGEST],
  ],
  [
    'the beginning of the identity',
    'WRONG_IDENTITY',
    [OCI_ATTESTATION, ...keyless('cody@soyland.co', 'https://github.com/login/oauth'), OCI_DIGEST],
  ],
  [
    'a pattern in place of the identity',
    'WRONG_IDENTITY',
    [OCI_ATTESTATION, ...keyless('.*', 'https://github.com/login/oauth'), OCI_DIGEST],
  ],
  [
    'another issuer',
    'WRONG_IDENTITY',
    [OCI_ATTESTATION, ...keyless('cody@soyland.com', 'https://accounts.google.com'), OCI_DIGEST],
  ],
  ['the trusted root of another instance', 'LOG_UNKNOWN', [OCI_ATTESTATION, ...CODY, ...SCAFFOLDING, OCI_DIGEST]],
  ['a key where a certificate signed', 'WRONG_KEY', [OCI_ATTESTATION, ...SOME_KEY, OCI_DIGEST]],
  ['its signature changed', 'SIGNATURE_INVALID', ['TEMP/signature.json', ...CODY, OCI_DIGEST]],
  ['its payload changed', 'SIGNATURE_INVALID', ['TEMP/payload.json', ...CODY, OCI_DIGEST]],
  ['its entry taken away', 'LOG_ENTRY_MISSING', ['TEMP/no-entry.json', ...CODY, OCI_DIGEST]],
  ['its entry’s promise changed', 'LOG_PROOF_INVALID', ['TEMP/promise.json', ...CODY, OCI_DIGEST]],
  ['its entry’s time changed', 'LOG_PROOF_INVALID', ['TEMP/time.json', ...CODY, OCI_DIGEST]],
  ['its checkpoint changed', 'LOG_PROOF_INVALID', ['TEMP/checkpoint.json', ...CODY, OCI_DIGEST]],
  ['its entry exchanged for another’s', 'LOG_ENTRY_MISMATCH', ['TEMP/entry.json', ...CODY, OCI_DIGEST]],
  ['cut in the middle', 'EVIDENCE_MALFORMED', ['TEMP/cut.json', ...CODY, OCI_DIGEST]],

  ['a user name of a private instance', 'verified', [OTHER_NAME, ...FOO, ...SCAFFOLDING_NAMED, OTHER_NAME_DIGEST]],
  [
    'a log that signs by a name nobody vouches for',
    'LOG_PROOF_INVALID',
    [OTHER_NAME, ...FOO, ...SCAFFOLDING, OTHER_NAME_DIGEST],
  ],
  [
    'an e-mail address where there is a user name',
    'WRONG_IDENTITY',
    [OTHER_NAME, ...keyless('foo@oidc.local', 'http://oidc.local:8080'), ...SCAFFOLDING_NAMED, OTHER_NAME_DIGEST],
  ],
  ['a digest that was not signed', 'SUBJECT_MISMATCH', [OTHER_NAME, ...FOO, ...SCAFFOLDING_NAMED, OCI_DIGEST]],

  [
    'a key and no log entry',
    'LOG_ENTRY_MISSING',
    [KEY_VALIDITY, ...SOME_KEY, ...KEY_VALIDITY_ROOT, KEY_VALIDITY_DIGEST],
  ],
  [
    'an envelope with two signatures',
    'EVIDENCE_MALFORMED',
    ['SG/pkg/testing/data/bundles/dsse-2sigs.sigstore.json', ...CODY, OCI_DIGEST],
  ],
  [
    'a chain with its root in it',
    'EVIDENCE_MALFORMED',
    ['SG/pkg/testing/data/bundles/dsse.sigstore.json', ...CODY, OCI_DIGEST],
  ],
  [
    'an older chain with its root in it',
    'EVIDENCE_MALFORMED',
    ['SG/examples/bundle-provenance.json', ...RELEASE, ...PUBLIC_GOOD, OCI_DIGEST],
  ],
  // Good up to the subject, of which only the SHA-512 is named.
  ['npm provenance, about a package', 'SUBJECT_MISMATCH', [SIGSTORE_JS, ...RELEASE, OCI_DIGEST]],
  [
    'npm’s publish attestation, by npm’s key',
    'SUBJECT_MISMATCH',
    ['SG/examples/bundle-publish.json', '--key', 'SG/examples/publish_key.pub', ...PUBLIC_GOOD, OCI_DIGEST],
  ],
  [
    'npm’s publish attestation, by another key',
    'WRONG_KEY',
    ['SG/examples/bundle-publish.json', ...SOME_KEY, ...PUBLIC_GOOD, OCI_DIGEST],
  ],
  ['no bundle at all', 'EVIDENCE_MALFORMED', ['SG/examples/publish_key.pub', ...CODY, OCI_DIGEST]],
  [
    'a trusted root in place of a bundle',
    'EVIDENCE_UNSUPPORTED',
    ['SG/examples/trusted-root-public-good.json', ...CODY, OCI_DIGEST],
  ],
  [
    'a bundle in place of a trusted root',
    'TRUST_ROOT_UNAVAILABLE',
    [OCI_ATTESTATION, ...CODY, '--trusted-root', OTHER_NAME, OCI_DIGEST],
  ],
];

describe('real bundles, by the conformance client', () => {
  let folders: ReadonlyMap<string, string>;
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;

  before(async () => {
    temporary = await temporaryFolder();
    folders = new Map([
      ['SG', await goModuleFolder('github.com/sigstore/sigstore-go')],
      ['COSIGN', await goModuleFolder('github.com/sigstore/cosign/v3')],
      ['TEMP', temporary.path],
    ]);
    await bendFiles(place(OCI_ATTESTATION), place(SIGSTORE_JS), place(OTHER_NAME), place(SCAFFOLDING[1] ?? ''));
  });
  after(() => temporary[Symbol.asyncDispose]());

  const place = (arg: string): string => {
    const [name = '', ...rest] = arg.split('/');
    const folder = folders.get(name);
    return folder === undefined ? arg : join(folder, ...rest);
  };

  for (const [title, verdict, [bundle = '', ...args]] of ROWS) {
    it(`${verdict}: ${title}`, async () => {
      const run = await verifyBundle(['--bundle', place(bundle), ...args.map(place)]);
      const [line = ''] = verdict === 'verified' ? run.stdout : run.stderr;
      assert.deepEqual(
        { code: run.code, verdict: line.split(':')[0], lines: run.stdout.length + run.stderr.length },
        { code: verdict === 'verified' ? 0 : 1, verdict, lines: 1 },
        line,
      );
    });
  }

  /** Writes the bundles that are the real one with one thing bent. */
  async function bendFiles(attestation: string, other: string, otherName: string, scaffolding: string): Promise<void> {
    const text = await readFile(attestation, 'utf8');
    const theirs = record(record(JSON.parse(await readFile(other, 'utf8')), 'verificationMaterial'), 'tlogEntries');
    const bend = async (name: string, change: (bundle: Json) => void): Promise<void> => {
      const bundle: Json = JSON.parse(text);
      change(bundle);
      await writeFile(join(temporary.path, name), JSON.stringify(bundle));
    };
    const entryOf = (bundle: Json): Json => record(record(record(bundle, 'verificationMaterial'), 'tlogEntries'), 0);
    await bend('signature.json', (bundle) =>
      flip(record(record(record(bundle, 'dsseEnvelope'), 'signatures'), 0), 'sig'),
    );
    await bend('payload.json', (bundle) => flip(record(bundle, 'dsseEnvelope'), 'payload'));
    await bend('no-entry.json', (bundle) => {
      record(bundle, 'verificationMaterial')['tlogEntries'] = [];
    });
    await bend('promise.json', (bundle) => flip(record(entryOf(bundle), 'inclusionPromise'), 'signedEntryTimestamp'));
    await bend('time.json', (bundle) => {
      entryOf(bundle)['integratedTime'] = String(Number(entryOf(bundle)['integratedTime']) + 1);
    });
    await bend('checkpoint.json', (bundle) => {
      const checkpoint = record(record(entryOf(bundle), 'inclusionProof'), 'checkpoint');
      checkpoint['envelope'] = String(checkpoint['envelope']).replace(/\n(\d)/, '\n1$1');
    });
    await bend('entry.json', (bundle) => {
      record(bundle, 'verificationMaterial')['tlogEntries'] = theirs;
    });
    await writeFile(join(temporary.path, 'cut.json'), text.slice(0, text.length / 2));

    const checkpoint = record(
      record(entryOf(JSON.parse(await readFile(otherName, 'utf8'))), 'inclusionProof'),
      'checkpoint',
    );
    const root: Json = JSON.parse(await readFile(scaffolding, 'utf8'));
    record(record(root, 'tlogs'), 0)['origin'] = String(checkpoint['envelope']).split('\n')[0];
    await writeFile(join(temporary.path, 'scaffolding-named.json'), JSON.stringify(root));
  }
});

type Json = Record<string | number, unknown>;

function record(value: Json, field: string | number): Json {
  const inner = value[field];
  assert.ok(isRecord(inner) || Array.isArray(inner), `expected a field ${field}`);
  // An array is a record of its indices here; both were just looked at.
  return inner as Json;
}

/** Changes the first bit of base64. */
function flip(value: Json, field: string): void {
  const bytes = Buffer.from(String(value[field]), 'base64');
  const at = bytes.byteLength - 1;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  value[field] = bytes.toString('base64');
}

function keyless(identity: string, issuer: string): readonly string[] {
  return ['--certificate-identity', identity, '--certificate-oidc-issuer', issuer];
}
