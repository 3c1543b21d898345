import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { loadPolicyDirectory } from '../../../activities/policy/load.ts';
import { authorityChain, trustedRootFile } from './material.ts';
import {
  type Parts,
  policyDirectory,
  policyDocument,
  publicKeyPem,
  requirementDocument,
  writeInside,
} from './policy-directory.ts';

const [INTERMEDIATE, ROOT] = authorityChain();
const ED25519 =
  '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n';

/** Each field of a policy that may hold a value, once. */
const POLICY: unknown = JSON.parse(
  policyDocument(
    [
      {
        name: 'key',
        key: { data: publicKeyPem(), hashAlgorithm: 'sha256' },
        ctlog: {
          url: 'https://rekor.example',
          'public-key': { secretRef: { name: 'log', namespace: 'cosign-system' } },
        },
        source: [{ oci: 'a.example/x', tagPrefix: 'a', signaturePullSecrets: [{ name: 'pull' }] }],
        attestations: [{ name: 'a', predicateType: 'vuln', policy: { type: 'cel', data: 'true' } }],
        signatureFormat: 'legacy',
      },
      {
        name: 'keyless',
        keyless: {
          identities: [{ issuer: 'i', subjectRegExp: 's.*' }],
          trustRootRef: 'ours',
          'ca-cert': { data: INTERMEDIATE.pem + ROOT.pem },
          insecureIgnoreSCT: false,
        },
        ctlog: { trustRootRef: 'ours' },
        rfc3161timestamp: { trustRootRef: 'ours' },
        attestations: [{ name: 'k', predicateType: 'vuln' }],
      },
      { name: 'static', static: { action: 'fail', message: 'no' } },
      { name: 'copied', key: { data: publicKeyPem() } },
    ],
    { mode: 'enforce' },
  ),
);

const REQUIREMENT: unknown = JSON.parse(
  requirementDocument({
    authority: 'keyless',
    transparencyLog: {
      mode: 'lookup',
      entries: 1,
      cosignatures: { count: 1, witnesses: [{ name: 'w', publicKey: ED25519 }] },
    },
    timestamps: { count: 1 },
    observers: { count: 1 },
    certificate: { runnerEnvironment: { exact: 'x' }, buildTrigger: { regExp: 'x' } },
    indexAttestations: 'counts',
    newestAttestation: 'counts',
  }),
);

const NAMES: unknown = JSON.parse(
  requirementDocument(
    {
      authority: 'copied',
      signedReference: 'exact',
      signedAs: [
        { repository: 'a.example/x' },
        { glob: 'a.example/**' },
        { prefix: 'a.example/x', signedPrefix: 'b.example' },
      ],
    },
    'names',
  ),
);

const LONG = 'x'.repeat(100_000);

/** What no field takes, beside values of another type than its own. */
const HOSTILE: readonly unknown[] = [
  null,
  -1,
  1e300,
  true,
  '',
  [],
  {},
  ['x', 1],
  JSON.parse('{"__proto__":1}'),
  'a\u0000b',
  LONG,
];

describe('a hostile value in any field', () => {
  const rows = [
    { file: 'demo.yaml', document: POLICY },
    { file: 'more.yaml', document: REQUIREMENT },
    { file: 'names.yaml', document: NAMES },
  ];
  for (const { file, document } of rows) {
    it(`of ${file} is refused where it stands, and nothing throws`, async (t) => {
      const directory = await directoryOf(t);
      assert.equal((await loadPolicyDirectory(directory)).ok, true);
      const passed: string[] = [];
      const elsewhere: string[] = [];
      for (const place of placesOf(document, [])) {
        for (const value of HOSTILE) {
          await writeInside(directory, file, JSON.stringify(replaced(document, place, value)));
          const load = await loadPolicyDirectory(directory);
          const at = `${place.join('.')} = ${JSON.stringify(value).slice(0, 20)}`;
          if (load.ok) passed.push(at);
          else if (!load.problems.some((one) => one.file === file)) elsewhere.push(at);
          for (const one of load.ok ? [] : load.problems) {
            assert.ok(one.message.length < 1_000 && !/[\p{Cc}\u2028]/u.test(one.message), at);
          }
        }
      }
      assert.deepEqual(passed.toSorted(), PASS[file]?.toSorted());
      assert.deepEqual(elsewhere, []);
    });
  }
});

/** Where such a value means something. */
const PASS: Readonly<Record<string, readonly string[]>> = {
  'demo.yaml': [
    // Switches the log off, for a key and beside timestamps; timestamps without a trust root are public-good's.
    'spec.authorities.0.ctlog = {}',
    // The image's own repository.
    'spec.authorities.0.source.0 = {}',
    'spec.authorities.1.ctlog = {}',
    'spec.authorities.1.rfc3161timestamp = {}',
    'spec.authorities.1.keyless.insecureIgnoreSCT = true',
  ],
  'more.yaml': [],
  'names.yaml': [],
};

type Place = readonly (string | number)[];

async function directoryOf(t: TestContext): Promise<string> {
  return policyDirectory(t, {
    'demo.yaml': JSON.stringify(POLICY),
    'more.yaml': JSON.stringify(REQUIREMENT),
    'names.yaml': JSON.stringify(NAMES),
    'secrets/log.pub': publicKeyPem(),
    'secrets/pull.json': '{"auths":{"a.example":{"username":"u","password":"p"}}}',
    'trust/ours.json': trustedRootFile(),
  });
}

/** Each value in a document, by the way to it. */
function placesOf(value: unknown, place: Place): readonly Place[] {
  if (Array.isArray(value)) return [place, ...value.flatMap((one, i) => placesOf(one, [...place, i]))];
  if (typeof value !== 'object' || value === null) return [place];
  return [place, ...Object.entries(value).flatMap(([key, one]) => placesOf(one, [...place, key]))];
}

function replaced(value: unknown, [first, ...rest]: Place, by: unknown): unknown {
  if (first === undefined) return by;
  if (Array.isArray(value)) return value.map((one: unknown, i) => (i === first ? replaced(one, rest, by) : one));
  const parts: Parts = typeof value === 'object' && value !== null ? { ...value } : {};
  return { ...parts, [first]: replaced(parts[first], rest, by) };
}
