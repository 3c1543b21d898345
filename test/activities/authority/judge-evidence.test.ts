import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { findAuthority, policySet } from '../../../activities/authority/applied-policy.ts';
import { countedEvidence } from '../../../activities/authority/counted-evidence.ts';
import {
  type EvidenceSubject,
  judgeEvidence,
  registryOf,
  subjectOf,
} from '../../../activities/authority/judge-evidence.ts';
import { JudgementCache } from '../../../activities/authority/judgement-cache.ts';
import { type EvidenceRule, evidenceRules } from '../../../activities/authority/rule.ts';
import type { Dependencies } from '../../../activities/dependencies.ts';
import type { ThreadJudgement } from '../../../activities/judging/judging-message.ts';
import type { Authority } from '../../../activities/policy/policy-set.ts';
import type { Registry } from '../../../activities/registry/registry.ts';
import { refuse } from '../../../activities/sigstore/judgement.ts';
import type { SignatureReference, SignatureSource } from '../../../workflows/activities.ts';
import { pushCosignTag, pushIndex, pushManifest, SIGNATURE, SIMPLE_SIGNING } from '../../support/registry-push.ts';
import { cosignPayload, createSigningKey, signSimple } from '../../support/signer.ts';
import { digestOf } from '../../support/verdicts.ts';
import { createSetting, type Setting } from '../setting.ts';

const release = createSigningKey('ECDSA P-256');
const signal = new AbortController().signal;
const AUTHORITY = { policy: 'demo', authority: 'key-0' };

type Fetched = SignatureReference & { readonly format: 'bundle' };

function reference(fields: Partial<Fetched> = {}): SignatureReference {
  const digests = { manifest: digestOf('a1'), blob: digestOf('b2') };
  return { format: 'bundle', place: 'referrers', source: {}, ...digests, ...fields };
}

const legacy: SignatureReference = {
  ...{ format: 'simple-signing', place: 'signature-tag', source: {}, layer: 0 },
  ...{ manifest: digestOf('a1'), blob: digestOf('b2') },
};

/** An authority by key that looks at every form in the image's own repository. */
async function ruleOf(t: TestContext): Promise<Setting & { readonly rule: Authority; readonly revision: string }> {
  const setting = await createSetting(t);
  const revision = await setting.writePolicies({ demo: [release] });
  return {
    ...setting,
    revision,
    rule: findAuthority(setting.dependencies, { ...AUTHORITY, policyRevision: revision }),
  };
}

describe('countedEvidence', () => {
  const SOURCE: SignatureSource = { repository: 'registry.example/signatures', tagPrefix: 'app-' };

  it('keeps what the authority looks at', async (t) => {
    const { rule } = await ruleOf(t);
    assert.deepEqual(countedEvidence(rule, [reference(), legacy]), [reference(), legacy]);
  });

  it('leaves out a form that the authority does not name', async (t) => {
    const { rule } = await ruleOf(t);
    assert.deepEqual(countedEvidence({ ...rule, formats: ['bundle'] }, [legacy, reference()]), [reference()]);
    assert.deepEqual(countedEvidence({ ...rule, formats: ['legacy'] }, [legacy, reference()]), [legacy]);
  });

  it('leaves out evidence about an index unless the authority covers index children', async (t) => {
    const { rule } = await ruleOf(t);
    const about = reference({ index: digestOf('c3') });
    assert.deepEqual(countedEvidence({ ...rule, coversIndexChildren: false }, [about]), []);
    assert.deepEqual(countedEvidence({ ...rule, coversIndexChildren: true }, [about]), [about]);
  });

  it('leaves out evidence of another place than the sources of the authority', async (t) => {
    const { rule } = await ruleOf(t);
    const bound = { ...rule, sources: [SOURCE] };
    const [repository, tagPrefix] = [SOURCE.repository ?? '', SOURCE.tagPrefix ?? ''];
    const wanted = reference({ source: { repository, tagPrefix } });
    const elsewhere = [
      reference(),
      reference({ source: { repository } }),
      reference({ source: { repository: `${repository}2`, tagPrefix } }),
      reference({ source: { repository, tagPrefix: 'other-' } }),
    ];
    assert.deepEqual(countedEvidence(bound, [...elsewhere, wanted]), [wanted]);
    assert.deepEqual(countedEvidence(rule, [wanted]), []);
  });
});

/** Remembers what it is asked for, and what the judgement is made from is not looked at. */
class Questions extends JudgementCache {
  readonly asked: string[] = [];

  override async get(question: string): Promise<ThreadJudgement> {
    this.asked.push(question);
    return refuse('WRONG_KEY', 'not judged');
  }
}

describe('what a proof is kept under', () => {
  it('differs when anything differs that the proof depends on', async (t) => {
    const setting = await ruleOf(t);
    const image = await setting.pushSigned(release);
    const { name, digest } = image;
    const judgements = new Questions({ most: 1, statements: 0 });
    const dependencies: Dependencies = { ...setting.dependencies, judgements };
    const set = policySet(dependencies, setting.revision);
    const subject = await subjectOf(dependencies, set, setting.rule, { ...AUTHORITY, name, digest }, signal);
    const [rule] = evidenceRules(setting.rule, dependencies.trust, subject.keys.keys);
    assert.ok(rule !== undefined);
    const question = async (
      change: Partial<EvidenceSubject> = {},
      asked: EvidenceRule = rule,
      piece: SignatureReference = reference(),
      by: Dependencies = dependencies,
    ): Promise<string> => {
      await judgeEvidence(by, { ...subject, ...change }, asked, piece, signal);
      return judgements.asked.at(-1) ?? assert.fail('expected a question');
    };
    const { check } = subject.keys;
    assert.ok(check.usable);
    // The trust revision is a part of the question where the policy names a trust root.
    const withRoot = {
      ...set,
      policies: set.policies.map((policy) => ({ ...policy, authorities: [keyless(setting.rule)] })),
    };
    const trustAt = (revision: string) => ({
      ...dependencies,
      trust: { ...dependencies.trust, find: dependencies.trust.find, revision: () => revision },
    });
    const attestation = (predicateType: string): EvidenceRule => ({
      ...rule,
      wanted: { kind: 'attestation', predicateTypes: [predicateType] },
    });
    const questions = [
      await question(),
      await question({ set: { ...set, contentHash: 'e'.repeat(64) } }),
      await question({ policy: 'other' }),
      await question({ authority: 'key-1' }),
      await question({ name: name.replace('/demo/', '/other/') }),
      await question({ digest: digestOf('d4') }),
      await question({ keys: { ...subject.keys, check: { ...check, keyId: 'f'.repeat(64) } } }),
      await question({}, attestation('https://slsa.dev/provenance/v1')),
      await question({}, attestation('https://cyclonedx.org/bom')),
      await question({}, rule, reference({ blob: digestOf('e5') })),
      await question({}, rule, { ...legacy, manifest: digestOf('e5') }),
      await question({}, rule, { ...legacy, layer: 1 }),
      await question({}, rule, reference({ index: digestOf('e5') })),
      await question({}, rule, reference({ source: { repository: 'registry.example/other' } })),
      await question({}, rule, legacy),
      await question({ set: withRoot }, rule, reference(), trustAt('1'.repeat(64))),
      await question({ set: withRoot }, rule, reference(), trustAt('2'.repeat(64))),
    ];
    const repeated = questions.filter((one, at) => questions.indexOf(one) !== at);
    assert.deepEqual(repeated, []);
    const [first] = questions;
    assert.equal(await question({}, rule, reference({ manifest: digestOf('e5') })), first, 'a blob is judged once');
    assert.equal(await question({ name: `${name}-2` }), first, 'under whatever tag');
  });

  it('does not serve another image whose signature tag holds the same manifest', async (t) => {
    const setting = await ruleOf(t);
    const { activities, registry, revision: policyRevision } = setting;
    const target = { address: registry.address, repository: 'demo/app' };
    const image = await setting.pushSigned();
    const { payload, signature } = signSimple(release, cosignPayload(image.digest, `${registry.address}/demo/app`));
    const layer = { mediaType: SIMPLE_SIGNING, content: payload, annotations: { [SIGNATURE]: signature } };
    const { manifest, blobs } = await pushCosignTag(target, `${image.digest.replace(':', '-')}.sig`, [layer]);
    const [blob] = blobs;
    assert.ok(blob !== undefined);
    const signatures = [{ ...legacy, manifest, blob }];
    const request = { ...AUTHORITY, policyRevision, name: image.name, keyId: release.keyId, signatures };
    assert.equal((await activities.verifySignature({ ...request, digest: image.digest })).satisfied, true);
    // The tag moves to an image that is not signed, and the signature goes with it.
    const other = await pushManifest(target, 'v1', { schemaVersion: 2, config: {}, layers: [], unsigned: true });
    const outcome = await activities.verifySignature({ ...request, digest: other });
    assert.ok(!outcome.satisfied);
    assert.deepEqual(
      outcome.rejected.map(({ code }) => code),
      ['SUBJECT_MISMATCH'],
    );
  });
});

function keyless(rule: Authority): Authority {
  return {
    ...rule,
    signer: {
      ...{ kind: 'keyless', identities: [], claims: [], trustRoot: 'acme' },
      ...{ certificateAuthority: undefined, insecureIgnoreSct: true },
    },
  };
}

describe('evidence about an index', () => {
  /** A signature about an index, and the outcome for a digest. */
  async function outcomeOf(t: TestContext, listed: boolean) {
    const setting = await createSetting(t);
    const { registry, activities } = setting;
    const target = { address: registry.address, repository: 'demo/app' };
    const policyRevision = await setting.writeDocuments(coveringPolicy(registry.address));
    const image = await setting.pushSigned();
    const index = await pushIndex(target, 'v1', [listed ? image.digest : digestOf('c3')]);
    const { payload, signature } = signSimple(release, cosignPayload(index, `${registry.address}/demo/app`));
    const layer = { mediaType: SIMPLE_SIGNING, content: payload, annotations: { [SIGNATURE]: signature } };
    const { manifest, blobs } = await pushCosignTag(target, `${index.replace(':', '-')}.sig`, [layer]);
    const [blob] = blobs;
    assert.ok(blob !== undefined);
    const signatures = [{ ...legacy, manifest, blob, index, source: { coversIndexChildren: true } as const }];
    const { name, digest } = image;
    return await activities.verifySignature({
      ...{ policy: 'demo', authority: 'release', policyRevision, name, digest, keyId: release.keyId, signatures },
    });
  }

  it('counts for an image that the index lists', async (t) => {
    assert.equal((await outcomeOf(t, true)).satisfied, true);
  });

  it('does not count for an image that the index does not list', async (t) => {
    const outcome = await outcomeOf(t, false);
    assert.ok(!outcome.satisfied);
    assert.deepEqual(
      outcome.rejected.map(({ code }) => code),
      ['SUBJECT_MISMATCH'],
    );
  });
});

function coveringPolicy(address: string): string {
  const policy = {
    images: [{ glob: `${address}/demo/**` }],
    authorities: [{ name: 'release', key: { data: release.publicPem } }],
  };
  const documents = [
    ['policy.sigstore.dev/v1beta1', 'ClusterImagePolicy', policy],
    ['portcullis.dev/v1alpha1', 'AuthorityRequirement', { policy: 'demo', indexAttestations: 'counts' }],
  ] as const;
  return documents
    .map(([apiVersion, kind, spec]) => JSON.stringify({ apiVersion, kind, metadata: { name: 'demo' }, spec }))
    .join('\n---\n');
}

describe('registryOf', () => {
  it('reads a source with the pull secrets that the policy names for it, and every other with the own credentials', async (t) => {
    const setting = await ruleOf(t);
    const { dependencies } = setting;
    const auths = new Map([['registry.example', { kind: 'password', username: 'robot', password: 'secret' } as const]]);
    const pullSecrets = new Map([['robot', { auths, credHelpers: new Map(), credsStore: undefined }]]);
    const set = { ...policySet(dependencies, setting.revision), pullSecrets };
    const given: unknown[] = [];
    const other: Registry = { ...dependencies.registry };
    const by = {
      registry: dependencies.registry,
      registryWith: (config: unknown) => {
        given.push(config);
        return other;
      },
    };
    assert.equal(registryOf(by, set, { repository: 'registry.example/a' }), dependencies.registry);
    assert.equal(registryOf(by, set, { pullSecrets: ['absent'] }), dependencies.registry);
    assert.deepEqual(given, []);
    assert.equal(registryOf(by, set, { pullSecrets: ['robot'] }), other);
    assert.deepEqual(given, [{ auths, credHelpers: new Map(), credsStore: undefined }]);
  });
});
