import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it, type TestContext } from 'node:test';
import { matches } from '../../../activities/sigstore/requirement/text-pattern.ts';
import { parseName } from '../../../workflows/format/name.ts';
import { globMatches, parseGlob } from '../../../workflows/policy/glob.ts';
import { selectPolicies } from '../../../workflows/policy/selection.ts';
import { BASES, wants } from '../sigstore/negatives/bases.ts';
import { judgementOf } from '../sigstore/negatives/case.ts';
import { authorityChain, trustedRootFile } from './material.ts';
import {
  authorityOf,
  KEYLESS,
  type Parts,
  policyDocument,
  problemsOf,
  publicKeyPem,
  setOf,
} from './policy-directory.ts';

const README = await readFile(new URL('../../../workflows/policy/README.md', import.meta.url), 'utf8');
const [, LIST = ''] = /^## Where this differs from policy-controller$([\s\S]*?)^## /m.exec(README) ?? [];

const KEY: Parts = { key: { data: publicKeyPem() } };
const OURS = { trustRootRef: 'ours' };
const FILES = { 'trust/ours.json': trustedRootFile() };

async function refusal(t: TestContext, authorities: readonly Parts[], spec: Parts = {}): Promise<string> {
  return (await problemsOf(t, { 'demo.yaml': policyDocument(authorities, spec), ...FILES })).join('\n');
}

/** The log and the timestamps that are asked for. */
async function times(t: TestContext, authority: Parts) {
  const { log, timestamps } = await authorityOf(t, authority, FILES);
  return [log?.trustRoot, timestamps?.trustRoot];
}

function matching(glob: string, name: string): boolean {
  return globMatches(parseGlob(glob) ?? assert.fail(glob), name);
}

const HELD: Readonly<Record<string, (t: TestContext) => void | Promise<void>>> = {
  'Patterns match the whole text': async (t) => {
    const identities = [{ issuer: 'https://a.example', subjectRegExp: 'github\\.com/acme' }];
    const { signer } = await authorityOf(t, { keyless: { identities } });
    const subject = signer.kind === 'keyless' ? signer.identities[0]?.subject : undefined;
    assert.ok(subject !== undefined && matches(subject, 'github.com/acme'));
    assert.equal(matches(subject, 'https://evil.example/github.com/acme'), false);
  },
  'An identity has an issuer and a subject': async (t) => {
    const whole = { issuer: 'https://a.example', subject: 'a@a.example' };
    assert.equal(await refusal(t, [{ keyless: { identities: [whole] } }]), '');
    for (const half of ['issuer', 'subject'] as const) {
      const { [half]: _, ...rest } = whole;
      assert.match(await refusal(t, [{ keyless: { identities: [rest] } }]), /found neither; add one/);
      assert.match(await refusal(t, [{ keyless: { identities: [{ ...whole, [half]: '' }] } }]), /found an empty one/);
    }
    assert.match(await refusal(t, [{ keyless: { identities: [] } }]), /expected at least one item/);
    assert.match(await refusal(t, [{ keyless: {} }]), /keyless\.identities: expected a value, found no such field/);
  },
  'A timestamp says nothing about the signer': async (t) => {
    assert.match(await refusal(t, [{ rfc3161timestamp: OURS }]), /add one of key, keyless and static/);
  },
  'A timestamp that is asked for is required': async (t) => {
    assert.deepEqual(await times(t, { ...KEY, rfc3161timestamp: OURS }), [undefined, 'ours']);
    assert.equal(judgementOf(BASES.legacyKeyed), 'valid');
    assert.match(judgementOf(BASES.legacyKeyed, { require: wants({ timestamps: 1 }) }), /^TIMESTAMP_MISSING: /);
  },
  'A certificate needs a verified time': async (t) => {
    assert.deepEqual(await times(t, { keyless: KEYLESS }), ['public-good', undefined]);
    assert.match(await refusal(t, [{ keyless: KEYLESS, ctlog: {} }]), /a certificate needs a verified time/);
    assert.match(judgementOf(BASES.keyless, { entries: () => [] }), /^(?:LOG_ENTRY_MISSING|TIMESTAMP_MISSING): /);
  },
  'A bundle with a timestamp needs its log entry too': async (t) => {
    const bundle = { keyless: { ...KEYLESS, ...OURS }, rfc3161timestamp: OURS, signatureFormat: 'bundle' };
    assert.deepEqual(await times(t, bundle), ['ours', 'ours']);
    const empty = { keyless: KEYLESS, rfc3161timestamp: {}, ctlog: {}, signatureFormat: 'bundle' };
    for (const authority of [{ ...bundle, ctlog: OURS }, empty])
      assert.equal((await times(t, authority))[0], undefined);
  },
  'A log entry is beside its signature': async (t) => {
    const { log } = await authorityOf(t, { ...KEY, ctlog: { url: 'https://rekor.example' } });
    assert.equal(log?.mode, 'offline');
    const missing = judgementOf(BASES.legacyKeyed, { require: wants({ entries: 1 }) });
    assert.match(missing, /^LOG_ENTRY_MISSING: /);
  },
  'The repository that was signed counts': async (t) => {
    const elsewhere = await authorityOf(t, { ...KEY, source: [{ oci: 'registry.example/signatures' }] });
    assert.deepEqual(elsewhere.signedAs, []);
    const other = { expected: { repository: 'registry.example/signatures' } };
    assert.match(judgementOf(BASES.legacyKeyed, other), /^REPOSITORY_MISMATCH: /);
  },
  'Conditions are written in CEL': async (t) => {
    for (const type of ['cue', 'rego']) {
      const policy = { type, data: 'true' };
      const attestations = [{ name: 'a', predicateType: 'custom', policy }];
      assert.match(await refusal(t, [{ ...KEY, attestations }]), /policy\.type: expected cel/);
    }
  },
  'A field without meaning on a node is refused': async (t) => {
    assert.match(await refusal(t, [KEY], { match: [] }), /spec\.match: expected no such field/);
    assert.match(
      await refusal(t, [KEY], { policy: { type: 'cel', data: 'true' } }),
      /spec\.policy: expected no such field/,
    );
    const elsewhere = { key: { secretRef: { name: 'release', namespace: 'default' } } };
    assert.match(await refusal(t, [elsewhere]), /namespace: expected cosign-system, found "default"/);
    assert.match(await refusal(t, [{ ...KEY, certificates: [] }]), /found the unknown field "certificates"/);
  },
  'An image without a policy is denied': async (t) => {
    assert.match(await refusal(t, []), /spec\.authorities: expected at least one item/);
    const { policies } = await setOf(t, { 'demo.yaml': policyDocument([KEY], { images: [{ glob: 'ghcr.io/**' }] }) });
    assert.deepEqual(selectPolicies(policies, 'quay.io/acme/app:v1').matching, []);
  },
  'A path has one spelling': () => {
    for (const name of ['ghcr.io/acme//app:v1', 'ghcr.io//acme/app', 'ghcr.io/acme/../app', 'ghcr.io/acme/APP']) {
      assert.equal(parseName(name), undefined, name);
    }
  },
  'Names of loopback share their policies': async (t) => {
    const images = (glob: string) => ({ images: [{ glob }] });
    const { policies } = await setOf(t, {
      'a.yaml': policyDocument([KEY], images('localhost:5000/app*'), 'named'),
      'b.yaml': policyDocument([KEY], images('127.0.0.1:5000/app*'), 'numbered'),
    });
    for (const name of ['localhost:5000/app:v1', '127.0.0.1:5000/app:v1']) {
      const names = selectPolicies(policies, name).matching.map((one) => one.name);
      assert.deepEqual(names.toSorted(), ['named', 'numbered'], name);
    }
  },
  'A host has one spelling': () => {
    for (const host of ['GHCR.io', 'ghcr.io:443', 'ghcr.io.']) {
      assert.equal(matching('ghcr.io/acme/**', `${host}/acme/app:v1`), true, host);
    }
    for (const glob of ['docker.io/library/alpine:3', 'index.docker.io/library/alpine:3']) {
      for (const name of ['alpine:3', 'docker.io/alpine:3', 'index.docker.io/library/alpine:3']) {
        assert.equal(matching(glob, name), true, `${glob} ${name}`);
      }
    }
  },
  'A digest is no part of the name': async (t) => {
    for (const glob of ['ghcr.io/acme/app', 'ghcr.io/acme/app:*', 'ghcr.io/acme/app*']) {
      assert.equal(matching(glob, `ghcr.io/acme/app@${DIGEST}`), true, glob);
    }
    assert.equal(matching('ghcr.io/acme/app:v1', `ghcr.io/acme/app:v1@${DIGEST}`), true);
    assert.equal(matching('ghcr.io/acme/app:v1', `ghcr.io/acme/app:v2@${DIGEST}`), false);
    const images = [{ glob: 'ghcr.io/acme/app@sha256:*' }];
    assert.match(await refusal(t, [KEY], { images }), /expected a name without a digest/);
  },
  'A name without a tag has none': () => {
    assert.equal(matching('ghcr.io/acme/app:latest', 'ghcr.io/acme/app'), false);
    assert.equal(matching('ghcr.io/acme/app', 'ghcr.io/acme/app'), true);
  },
  'localhost is a registry': () => {
    assert.deepEqual(parseName('localhost/app:v1'), { registry: 'localhost', repository: 'app', tag: 'v1' });
    assert.equal(matching('localhost/**', 'localhost/app:v1'), true);
    assert.equal(matching('index.docker.io/**', 'localhost/app:v1'), false);
  },
  'An IPv6 address is a registry': () => assert.equal(matching('[::1]:5000/app:v1', '[0::1]:5000/app:v1'), true),
  'Both formats count': async (t) => {
    assert.deepEqual((await authorityOf(t, KEY)).formats, ['bundle', 'legacy']);
    assert.deepEqual((await authorityOf(t, { ...KEY, signatureFormat: 'bundle' })).formats, ['bundle']);
    assert.equal(judgementOf(BASES.keyed), 'valid');
  },
  'A certificate authority of the policy counts': async (t) => {
    const [intermediate, root] = authorityChain();
    const keyless = { ...KEYLESS, 'ca-cert': { data: intermediate.pem + root.pem } };
    const { signer } = await authorityOf(t, { keyless });
    assert.equal(signer.kind === 'keyless' && signer.certificateAuthority?.length, 2);
  },
  'Evidence may be in several places': async (t) => {
    const source = [{ oci: 'registry.example/a' }, { oci: 'registry.example/b' }, {}];
    const { sources } = await authorityOf(t, { ...KEY, source });
    assert.deepEqual(sources, [{ repository: 'registry.example/a' }, { repository: 'registry.example/b' }, {}]);
  },
};

const DIGEST = `sha256:${'ab'.repeat(32)}`;

/** What the library of policy-controller 0.13.1 (`pkg/apis/glob`) answers, and the line of the list where the answer differs. */
const COMPARED: readonly (readonly [glob: string, name: string, theirs: boolean, line?: string])[] = [
  ['ghcr.io/acme/app', `ghcr.io/acme/app@${DIGEST}`, false, 'A digest is no part of the name'],
  ['ghcr.io/acme/app:*', `ghcr.io/acme/app@${DIGEST}`, false, 'A digest is no part of the name'],
  ['ghcr.io/acme/app:**', `ghcr.io/acme/app@${DIGEST}`, false, 'A digest is no part of the name'],
  ['ghcr.io/acme/app*', `ghcr.io/acme/app@${DIGEST}`, true],
  ['ghcr.io/acme/*', `ghcr.io/acme/app@${DIGEST}`, true],
  ['ghcr.io/**', `ghcr.io/acme/app@${DIGEST}`, true],
  ['ghcr.io/acme/app:latest', `ghcr.io/acme/app@${DIGEST}`, false],
  ['ghcr.io/acme/app:v1', `ghcr.io/acme/app:v1@${DIGEST}`, false, 'A digest is no part of the name'],
  ['ghcr.io/acme/app*', `ghcr.io/acme/app:v1@${DIGEST}`, true],
  ['ghcr.io/acme/app', 'ghcr.io/acme/app', true],
  ['ghcr.io/acme/app:latest', 'ghcr.io/acme/app', true, 'A name without a tag has none'],
  ['localhost/**', 'localhost/app:v1', true],
  ['index.docker.io/**', 'localhost/app:v1', true, 'localhost is a registry'],
  ['localhost:5000/**', 'localhost:5000/app:v1', true],
  ['localhost:5000/**', '127.0.0.1:5000/app:v1', false],
  ['ghcr.io/acme/**', 'ghcr.io//acme/app:v1', false],
  ['ghcr.io/acme/**', 'ghcr.io/acme//app:v1', true, 'A path has one spelling'],
  ['ghcr.io/**', 'ghcr.io//acme/app:v1', true, 'A path has one spelling'],
  ['ghcr.io/acme/**', 'ghcr.io/acme/../evil:v1', true, 'A path has one spelling'],
  ['ghcr.io/acme/**', 'GHCR.io/acme/app:v1', false, 'A host has one spelling'],
  ['ghcr.io/acme/**', 'ghcr.io:443/acme/app:v1', false, 'A host has one spelling'],
  ['ghcr.io/acme/**', 'ghcr.io./acme/app:v1', false, 'A host has one spelling'],
  ['docker.io/library/alpine:3', 'alpine:3', false, 'A host has one spelling'],
  ['docker.io/**', 'acme/app:v1', false, 'A host has one spelling'],
  ['docker.io/library/alpine:3', 'docker.io/library/alpine:3', true],
  ['index.docker.io/library/alpine:3', 'docker.io/alpine:3', true],
  ['alpine*', 'alpine:3', true],
  ['acme/**', 'acme/app:v1', true],
  ['**', '[::1]:5000/app:v1', true],
];

describe('the differences from policy-controller', () => {
  for (const [line, hold] of Object.entries(HELD)) it(line, hold);

  it('are listed, each one that is held and no other', () => {
    const listed = Array.from(LIST.matchAll(/^- \*\*(.+?)\.\*\* \S/gm), ([, line = '']) => line);
    assert.deepEqual(listed, Object.keys(HELD));
    assert.equal(listed.length, LIST.match(/^- /gm)?.length);
  });

  for (const [glob, name, theirs, line] of COMPARED) {
    it(`${line === undefined ? 'leave alone' : 'explain'} that ${glob} ${theirs ? 'matches' : 'does not match'} ${name} there`, () => {
      assert.equal(matching(glob, name) === theirs, line === undefined);
      assert.ok(line === undefined || Object.hasOwn(HELD, line), line);
    });
  }
});
