import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'node:test';
import { authorityWith, problemsWith } from './demands.ts';
import {
  authorityOf,
  KEYLESS,
  type Parts,
  policyDocument,
  problemsOf,
  publicKeyPem,
  requirementDocument,
  setOf,
} from './policy-directory.ts';

const KEY: Parts = { key: { data: publicKeyPem() } };
const PUBLIC: Parts = { keyless: KEYLESS };

function witness(name: string): { readonly name: string; readonly publicKey: string } {
  const { publicKey } = generateKeyPairSync('ed25519');
  return { name, publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString() };
}

const log = (more: Parts): Parts => ({ transparencyLog: more });
const claim = (value: Parts): Parts => ({ certificate: { runnerEnvironment: value } });

describe('demands beyond a policy', () => {
  it('are about the log: its mode, entries and witnesses', async (t) => {
    const witnesses = [witness('a.example'), witness('b.example/w1')];
    const demand = log({ mode: 'consistency', entries: 2, cosignatures: { count: 1, witnesses } });
    const authority = await authorityWith(t, PUBLIC, demand);
    assert.deepEqual(
      { ...authority.log, witnesses: authority.log?.witnesses.map(({ name }) => name) },
      {
        mode: 'consistency',
        entries: 2,
        cosignatures: 1,
        witnesses: ['a.example', 'b.example/w1'],
        trustRoot: 'public-good',
        url: undefined,
        publicKey: undefined,
      },
    );
  });

  it('add a log where a policy asks for none', async (t) => {
    assert.equal((await authorityOf(t, KEY)).log, undefined);
    const keyed = await authorityWith(t, KEY, log({ mode: 'lookup' }));
    assert.deepEqual([keyed.log?.mode, keyed.log?.trustRoot], ['lookup', 'public-good']);
    const both = { ...PUBLIC, ctlog: { trustRootRef: 'ours' }, rfc3161timestamp: { trustRootRef: 'ours' } };
    assert.equal((await authorityWith(t, both)).log, undefined);
    const logged = await authorityWith(t, both, log({ entries: 1 }));
    assert.deepEqual([logged.log?.trustRoot, logged.timestamps?.trustRoot], ['ours', 'ours']);
  });

  it('are about timestamps, verified times, and evidence of the index', async (t) => {
    const demand = { timestamps: { count: 2 }, observers: { count: 3 }, indexAttestations: 'counts' };
    const authority = await authorityWith(t, PUBLIC, demand);
    assert.deepEqual(authority.timestamps, { count: 2, trustRoot: 'public-good' });
    assert.equal(authority.observers, 3);
    assert.equal(authority.coversIndexChildren, true);
    assert.notEqual(authority.log, undefined);
    const plain = await authorityOf(t, PUBLIC);
    assert.deepEqual([plain.observers, plain.coversIndexChildren], [0, false]);
  });

  it('are about the newest attestation, in the set and in its revision', async (t) => {
    const attested = { ...PUBLIC, attestations: [{ name: 'scan', predicateType: 'vuln' }] };
    assert.equal((await authorityWith(t, attested)).newestAttestation, false);
    assert.equal((await authorityWith(t, attested, { newestAttestation: 'counts' })).newestAttestation, true);
    const other = { observers: { count: 1 } };
    const two = await authorityWith(t, attested, { newestAttestation: 'counts' }, other);
    assert.deepEqual([two.newestAttestation, two.observers], [true, 1]);
  });

  it('are about claims of the certificate', async (t) => {
    const certificate = {
      runnerEnvironment: { exact: 'github-hosted' },
      sourceRepositoryRef: { regExp: 'refs/tags/.+' },
    };
    const { signer } = await authorityWith(t, PUBLIC, { certificate });
    assert.deepEqual(
      signer.kind === 'keyless' && signer.claims.map(({ claim, value }) => [claim, value.kind]).toSorted(),
      [
        ['runnerEnvironment', 'exact'],
        ['sourceRepositoryRef', 'pattern'],
      ],
    );
  });

  it('reach the authority that they name, or all of the policy', async (t) => {
    const authorities = [
      { ...PUBLIC, name: 'a' },
      { ...PUBLIC, name: 'b' },
    ];
    for (const [authority, expected] of [
      ['b', [0, 2]],
      [undefined, [2, 2]],
    ] as const) {
      const spec = { ...(authority === undefined ? {} : { authority }), observers: { count: 2 } };
      const files = { 'demo.yaml': policyDocument(authorities), 'a.yaml': requirementDocument(spec) };
      const { policies } = await setOf(t, files);
      assert.deepEqual(
        policies[0]?.authorities.map(({ observers }) => observers),
        expected,
      );
    }
  });

  it('of two documents add up to the greater', async (t) => {
    const one = { ...log({ entries: 2 }), observers: { count: 1 }, timestamps: { count: 3 }, ...claim({ exact: 'x' }) };
    const two = {
      ...log({ mode: 'lookup' }),
      observers: { count: 4 },
      timestamps: { count: 2 },
      ...claim({ exact: 'x' }),
    };
    for (const order of [
      [one, two],
      [two, one],
    ]) {
      const authority = await authorityWith(t, PUBLIC, ...order);
      assert.deepEqual(
        [authority.log?.entries, authority.log?.mode, authority.observers, authority.timestamps?.count],
        [2, 'lookup', 4, 3],
      );
      assert.equal(authority.signer.kind === 'keyless' && authority.signer.claims.length, 1);
    }
  });
});

describe('demands that are refused', () => {
  const a = witness('a');
  const cosigned = (value: unknown): Parts => log({ cosignatures: value });
  const keyed = { ...KEY, ctlog: { 'public-key': { data: publicKeyPem() } } };
  const rows: readonly (readonly [string, Parts, readonly Parts[], RegExp])[] = [
    [
      'of a policy that is not there',
      PUBLIC,
      [{ policy: 'gone', observers: { count: 1 } }],
      /spec\.policy: expected the name of a ClusterImagePolicy of this directory, found "gone"/,
    ],
    [
      'of an authority that is not there',
      PUBLIC,
      [{ authority: 'x', observers: { count: 1 } }],
      /spec\.authority: expected an authority of demo \(authority-0\), found "x"/,
    ],
    ['that want nothing', PUBLIC, [{}], /spec: expected something that is wanted, found nothing/],
    [
      'of a static authority',
      { static: { action: 'pass' } },
      [{ observers: { count: 1 } }],
      /spec\.policy: expected an authority that looks at evidence, found "authority-0", which is static/,
    ],
    [
      'of a static authority by name',
      { static: { action: 'pass' } },
      [{ authority: 'authority-0', ...log({ entries: 1 }) }],
      /spec\.authority: expected an authority that looks at evidence/,
    ],
    [
      'claims of a key',
      KEY,
      [claim({ exact: 'x' })],
      /certificate\.runnerEnvironment: expected a keyless authority, found a key/,
    ],
    [
      'timestamps of a key without a trust root',
      KEY,
      [{ timestamps: { count: 1 } }],
      /spec\.timestamps: expected an authority with rfc3161timestamp, found a key without/,
    ],
    [
      'verified times of a key without any',
      KEY,
      [{ observers: { count: 1 } }],
      /spec\.observers: expected an authority with ctlog or rfc3161timestamp/,
    ],
    ['unknown claims', PUBLIC, [{ certificate: { issuer: { exact: 'x' } } }], /unknown field "issuer"/],
    ['claims without value', PUBLIC, [claim({})], /runnerEnvironment: expected one of exact and regExp, found neither/],
    ['claims with two values', PUBLIC, [claim({ exact: 'x', regExp: 'x' })], /found both/],
    ['claims with a broken pattern', PUBLIC, [claim({ regExp: '[' })], /regExp: expected a pattern/],
    ['no claims', PUBLIC, [{ certificate: {} }], /certificate: expected a claim, found none/],
    ['no log demand', PUBLIC, [log({})], /transparencyLog: expected mode, entries or cosignatures, found none/],
    [
      'another mode',
      PUBLIC,
      [log({ mode: 'online' })],
      /mode: expected offline or consistency or lookup, found "online"/,
    ],
    ['no entries', PUBLIC, [log({ entries: 0 })], /entries: expected a number from 1 to 8, found 0/],
    ['too many entries', PUBLIC, [log({ entries: 9 })], /entries: expected a number from 1 to 8, found 9/],
    ['half an entry', PUBLIC, [log({ entries: 1.5 })], /entries: expected a number from 1 to 8, found 1\.5/],
    [
      'a number in quotes',
      PUBLIC,
      [{ observers: { count: '2' } }],
      /count: expected a number from 1 to 8, found a string/,
    ],
    ['no count', PUBLIC, [{ timestamps: {} }], /timestamps\.count: expected a value/],
    [
      'less than no demand',
      PUBLIC,
      [{ indexAttestations: 'ignored' }],
      /indexAttestations: expected counts, found "ignored"/,
    ],
    [
      'the newest of what is not attested',
      PUBLIC,
      [{ newestAttestation: 'counts' }],
      /newestAttestation: expected an authority with attestations, found one that wants a signature; remove it/,
    ],
    [
      'the newest by a key, which tells no time',
      { ...KEY, attestations: [{ name: 'scan', predicateType: 'vuln' }] },
      [{ newestAttestation: 'counts' }],
      /newestAttestation: expected a keyless authority, found a key/,
    ],
    [
      'the newest, in another word',
      { ...PUBLIC, attestations: [{ name: 'scan', predicateType: 'vuln' }] },
      [{ newestAttestation: true }],
      /newestAttestation: expected a string, found a boolean/,
    ],
    [
      'more witnesses than there are',
      PUBLIC,
      [cosigned({ count: 2, witnesses: [a] })],
      /count: expected at most 1, as many as witnesses, found 2/,
    ],
    [
      'one witness twice',
      PUBLIC,
      [cosigned({ count: 2, witnesses: [a, { ...a, name: 'b' }] })],
      /witnesses: expected different witnesses/,
    ],
    [
      'a witness with another key',
      PUBLIC,
      [cosigned({ count: 1, witnesses: [{ name: 'a', publicKey: publicKeyPem() }] })],
      /publicKey: expected an Ed25519 key, found ECDSA P-256/,
    ],
    [
      'a witness with no key',
      PUBLIC,
      [cosigned({ count: 1, witnesses: [{ name: 'a', publicKey: 'x' }] })],
      /publicKey: expected an Ed25519 key, found one not usable/,
    ],
    [
      'a witness with a space',
      PUBLIC,
      [cosigned({ count: 1, witnesses: [{ ...a, name: 'a b' }] })],
      /name: expected a name without spaces/,
    ],
    ['no witnesses', PUBLIC, [cosigned({ count: 1, witnesses: [] })], /witnesses: expected at least one item/],
    [
      'two modes',
      PUBLIC,
      [log({ mode: 'offline' }), log({ mode: 'lookup' })],
      /m1\.yaml.*expected mode offline as in another document, found lookup; agree on one/,
    ],
    [
      'two values of one claim',
      PUBLIC,
      [claim({ exact: 'x' }), claim({ regExp: 'x' })],
      /m1\.yaml.*expected runnerEnvironment as in another document/,
    ],
    [
      'two lists of witnesses',
      PUBLIC,
      [cosigned({ count: 1, witnesses: [a] }), cosigned({ count: 1, witnesses: [witness('b')] })],
      /m1\.yaml.*expected cosignatures in one document/,
    ],
    [
      'a live check of a log without address',
      keyed,
      [log({ mode: 'consistency' })],
      /expected mode offline beside ctlog\.public-key, found consistency; add ctlog\.url/,
    ],
    ['more entries than logs', keyed, [log({ entries: 2 })], /expected 1 entry beside ctlog\.public-key, found 2/],
    ['unknown fields', PUBLIC, [{ observers: { count: 1, most: 2 } }], /unknown field "most"/],
  ];
  for (const [title, authority, demands, pattern] of rows) {
    it(title, async (t) => assert.match(await problemsWith(t, authority, ...demands), pattern));
  }

  it('of another version, or twice under one name', async (t) => {
    const document = requirementDocument({ observers: { count: 1 } });
    const files = { 'demo.yaml': policyDocument([PUBLIC]) };
    const other = await problemsOf(t, { ...files, 'a.yaml': document.replace('v1alpha1', 'v1') });
    assert.match(other.join(), /apiVersion: expected portcullis\.dev\/v1alpha1, found "portcullis\.dev\/v1"/);
    const twice = await problemsOf(t, { ...files, 'a.yaml': document, 'b.yaml': document });
    assert.match(twice.join(), /b\.yaml.*metadata\.name: expected a new name, found "more" already in a\.yaml/);
  });
});
