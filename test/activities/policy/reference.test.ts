import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it, type TestContext } from 'node:test';
import { PREDICATE_TYPE_ALIASES } from '../../../activities/attestation/predicate-type.ts';
import { loadPolicyDirectory } from '../../../activities/policy/load.ts';
import { CLAIM_OIDS } from '../../../activities/sigstore/requirement/claim.ts';
import { TRUST_ROOT_TABLES } from '../../../activities/trust/document/trust-root-tables.ts';
import type { FieldTable } from '../../../activities/yaml/field.ts';
import {
  FIELD_TABLES,
  OFFLINE_USE_TABLES,
  REQUIREMENT_TABLES,
  REVOCATION_TABLES,
} from '../../../activities/yaml/field-tables.ts';
import { authorityChain, trustedRootFile } from './material.ts';
import {
  KEYLESS,
  type Parts,
  policyDirectory,
  policyDocument,
  publicKeyPem,
  requirementDocument,
  setOf,
} from './policy-directory.ts';

const README = await readFile(new URL('../../../workflows/policy/README.md', import.meta.url), 'utf8');

const PEM = publicKeyPem();
const [INTERMEDIATE, ROOT] = authorityChain();
const FILES = {
  'secrets/release.pub': PEM,
  'secrets/release.pem': INTERMEDIATE.pem + ROOT.pem,
  'secrets/release-2027.pub': PEM,
  'secrets/signatures.json': '{"auths":{"registry.example":{"username":"u","password":"p"}}}',
  'trust/github.json': trustedRootFile(),
};

interface Known {
  readonly path: string;
  readonly read: boolean;
}

/** The fields of tables, each under the path of its table, or under what `prefixes` says instead. */
function known(
  tables: Readonly<Record<string, FieldTable>>,
  prefixes: Readonly<Record<string, string>> = {},
): readonly Known[] {
  return Object.entries(tables).flatMap(([name, table]) =>
    Object.entries(table).map(([field, rule]) => {
      const parent = prefixes[name] ?? name;
      return { path: parent === '' ? field : `${parent}.${field}`, read: rule === 'read' };
    }),
  );
}

const AUTHORITIES = 'spec.sigstoreKeys.certificateAuthorities[]';
const TRUST_ROOT_PATHS = {
  authority: AUTHORITIES,
  subject: `${AUTHORITIES}.subject`,
  validFor: `${AUTHORITIES}.validFor`,
  tLog: 'spec.sigstoreKeys.tLogs[]',
  ctLog: 'spec.sigstoreKeys.ctLogs[]',
};

const KINDS: readonly (readonly [string, readonly Known[]])[] = [
  ['ClusterImagePolicy', known(FIELD_TABLES)],
  ['TrustRoot', known(TRUST_ROOT_TABLES, TRUST_ROOT_PATHS)],
  ['AuthorityRequirement', [...known(REQUIREMENT_TABLES), { path: 'spec.certificate.*', read: true }]],
  ['OfflineUse', known(OFFLINE_USE_TABLES)],
  ['Revocation', known(REVOCATION_TABLES)],
];

/** The rows about one kind of document: whether a field is required, read or refused. */
function documented(kind: string): ReadonlyMap<string, string> {
  const [, after = ''] = README.split(new RegExp(`^## Fields of an? ${kind}$`, 'm'));
  const [section = ''] = after.split(/^## /m);
  const rows = section.matchAll(/^\| `([a-z][^`]*)` *\| (\w+) *\|/gm);
  return new Map(Array.from(rows, ([, path = '', what = '']) => [path, what]));
}

describe('the reference', () => {
  it('has examples that load, each by itself and all together', async (t) => {
    const examples = Array.from(README.matchAll(/```yaml\n([\s\S]*?)```/g), ([, yaml = '']) =>
      yaml.replace('TRUSTED_ROOT', trustedRootFile()),
    );
    const [revocation, offlineUse, requirement, ...policies] = examples.toReversed();
    assert.ok(policies.length > 5 && revocation !== undefined && offlineUse !== undefined && requirement !== undefined);
    for (const yaml of policies) await setOf(t, { ...FILES, 'demo.yaml': yaml });
    const set = await setOf(t, { ...FILES, 'demo.yaml': examples.join('---\n') });
    assert.equal(set.policies.length, policies.length);
    assert.deepEqual([set.offlineUses.map(({ forMs }) => forMs / 3_600_000), set.revocations.length], [[72], 1]);
    const strict = set.policies.find(({ name }) => name === 'provenance')?.authorities[0];
    assert.deepEqual(
      [strict?.log?.mode, strict?.coversIndexChildren, strict?.newestAttestation],
      ['consistency', true, true],
    );
    const demo = set.policies.find(({ name }) => name === 'demo');
    assert.deepEqual(
      demo?.authorities.map(({ name }) => name),
      ['release', 'authority-1'],
    );
  });

  for (const [kind, fields] of KINDS) {
    it(`documents every field of a ${kind} as what it is`, () => {
      const rows = documented(kind);
      for (const { path, read } of fields.filter(({ path }) => path !== 'metadata' && path !== 'spec')) {
        assert.ok(rows.has(path), `${path} is not documented`);
        assert.equal(rows.get(path) === 'refused', !read, path);
      }
      for (const path of rows.keys()) {
        assert.ok(
          fields.some((one) => one.path === path),
          `${path} is documented and not known`,
        );
      }
    });
  }

  it('names every claim and every short predicate type', () => {
    for (const name of [...Object.keys(CLAIM_OIDS), ...PREDICATE_TYPE_ALIASES]) {
      assert.ok(README.includes(`\`${name}\``), name);
    }
  });

  it('says refused of what is refused', async (t) => {
    const rows = rowsOf('refused');
    assert.ok(rows.length > 30);
    for (const { kind, path } of rows) {
      const problems = await problemsWith(t, kind, path, false);
      assert.deepEqual(
        problems.map(({ field }) => field),
        [path.replaceAll('[]', '[0]')],
        path,
      );
      assert.match(problems[0]?.message ?? '', /^expected no such field, found "[\w-]+": .+; .+$/, path);
    }
  });

  it('says required of what is required', async (t) => {
    const rows = rowsOf('required');
    assert.ok(rows.length > 20);
    for (const { kind, path } of rows) {
      const problems = await problemsWith(t, kind, path, true);
      assert.deepEqual(
        problems.map(({ field }) => field),
        [path.replaceAll('[]', '[0]')],
        path,
      );
    }
  });
});

/** Fields of the two kinds of documents that are read here; those of trust roots are proven beside their reader. */
function rowsOf(wanted: 'required' | 'refused') {
  return ['ClusterImagePolicy', 'AuthorityRequirement'].flatMap((kind) =>
    [...documented(kind)].flatMap(([path, what]) => (what === wanted ? [{ kind, path }] : [])),
  );
}

/** A policy and a requirement with every mapping that the field may be in; an authority has one kind of signer. */
function documentsFor(path: string): Readonly<Record<string, string>> {
  const file = { secretRef: { name: 'release' } };
  const evidence = {
    source: [{ oci: 'registry.example/x', signaturePullSecrets: [{ name: 'signatures' }] }],
    ctlog: { 'public-key': file },
    rfc3161timestamp: {},
    attestations: [{ name: 'a', predicateType: 'spdx', policy: { type: 'cel', data: 'true' } }],
  };
  const keyless = { ...KEYLESS, 'ca-cert': file };
  const [, named = 'keyless'] = /\[\]\.(key|static)\b(?!less)/.exec(path) ?? [];
  const signer = path.startsWith('spec.key.') ? 'kms' : named;
  const authorities: Readonly<Record<string, Parts>> = {
    key: { key: file, ...evidence },
    kms: { key: { kms: 'awskms:///alias/release' }, ...evidence },
    static: { static: { action: 'pass' } },
    keyless: { keyless, ...evidence },
  };
  const witnesses = [{ name: 'w', publicKey: WITNESS_KEY }];
  return {
    'demo.yaml': policyDocument([authorities[signer] ?? assert.fail()]),
    'more.yaml': requirementDocument({
      transparencyLog: { cosignatures: { count: 1, witnesses } },
      timestamps: { count: 1 },
      observers: { count: 1 },
      ...(signer === 'kms' ? { key: { whenUnreachable: { allowFor: '1h' } } } : {}),
    }),
  };
}

const WITNESS_KEY =
  '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n';

/** What is wrong with a directory in which a document has one field more, or one less. */
async function problemsWith(t: TestContext, kind: string, path: string, without: boolean) {
  const file = kind === 'ClusterImagePolicy' ? 'demo.yaml' : 'more.yaml';
  const documents = documentsFor(path);
  const root: unknown = JSON.parse(documents[file] ?? assert.fail());
  const steps = path.split('.').flatMap((one) => (one.endsWith('[]') ? [one.slice(0, -2), 0] : [one]));
  const changed = JSON.stringify(changedAt(root, steps, without));
  // A static authority can't be asked for more.
  const others = file === 'demo.yaml' ? {} : documents;
  const directory = await policyDirectory(t, { ...FILES, ...others, [file]: changed });
  const load = await loadPolicyDirectory(directory);
  return load.ok ? [] : load.problems;
}

function changedAt(value: unknown, [first, ...rest]: readonly (string | number)[], without: boolean): unknown {
  if (first === undefined) return 'x';
  if (typeof first === 'number') return [changedAt(Array.isArray(value) ? value[0] : {}, rest, without)];
  const parts: Parts = typeof value === 'object' && value !== null ? { ...value } : {};
  const { [first]: _, ...others } = parts;
  return rest.length === 0 && without ? others : { ...parts, [first]: changedAt(parts[first], rest, without) };
}
