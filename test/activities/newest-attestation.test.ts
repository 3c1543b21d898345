import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import type { AuthorityOutcome, SignatureReference } from '../../workflows/activities.ts';
import type { Digest } from '../../workflows/format/digest.ts';
import { pushBundle, pushImage } from '../support/registry-push.ts';
import { cosignStatement } from '../support/signer.ts';
import type { Certificate } from '../support/virtual-sigstore/ca.ts';
import { bundleOf, logInV1, signEnvelope } from '../support/virtual-sigstore/evidence.ts';
import type { EntryKind, Signed } from '../support/virtual-sigstore/log-body.ts';
import { createVirtualSigstore, WORKFLOW_ISSUER, WORKFLOW_SUBJECT } from '../support/virtual-sigstore/sigstore.ts';
import { trustedRootJson } from '../support/virtual-sigstore/trusted-root.ts';
import { createSetting, type Setting } from './setting.ts';

const NOON = new Date('2026-06-01T12:00:00Z');
const sigstore = createVirtualSigstore(NOON);
const stranger = createVirtualSigstore(NOON);
const TYPE = 'https://example.com/scan/v1';
const AUTHORITY = { policy: 'scanned', authority: 'scanner' };

const at = (minutes: number) => new Date(NOON.getTime() + minutes * 60_000);

/** A certificate as Fulcio issues it, good for ten minutes. */
function certificateOf(minutes: number, by = sigstore): Certificate {
  return by.issueLeaf({ window: { from: at(minutes), until: at(minutes + 10) }, scts: { time: at(minutes) } });
}

interface Scan {
  readonly certificate: Certificate;
  readonly critical: boolean;
}

interface Scene extends Setting {
  readonly digest: Digest;
  readonly name: string;
  readonly policyRevision: string;
  /** Pushes an attestation that is logged at a time, as an entry of a kind. */
  push(scan: Scan, minutes: number, kind?: EntryKind, by?: typeof sigstore): Promise<void>;
  /** Everything that the registry lists, judged by the authority. */
  judge(): Promise<AuthorityOutcome>;
  fetch(): Promise<readonly SignatureReference[]>;
}

/** An image, and a policy that wants a scan without critical findings; `requirement`: what is wanted beyond it. */
async function scene(t: TestContext, requirement = 'newestAttestation: counts'): Promise<Scene> {
  const setting = await createSetting(t);
  const target = { address: setting.registry.address, repository: 'demo/app' };
  const digest = await pushImage(target, 'v1');
  const name = `${setting.registry.address}/demo/app:v1`;
  const policyRevision = await setting.writeDocuments(documents(setting.registry.address, requirement));
  const { activities } = setting;
  const about = { name, digest, policyRevision };
  const signed = new Map<Scan, Signed>();
  const fetch = async () => {
    const { matching } = await activities.resolvePolicy(about);
    const [source] = matching[0]?.authorities[0]?.sources ?? [];
    assert.ok(source !== undefined);
    return (await activities.fetchSignatures({ ...about, source })).signatures;
  };
  return {
    ...{ ...setting, digest, name, policyRevision, fetch },
    async push(scan, minutes, kind = 'dsse 0.0.1', by = sigstore) {
      const one = signed.get(scan) ?? sign(scan, digest);
      signed.set(scan, one);
      const bundle = bundleOf(one, { entries: [logInV1(by.rekorV1, kind, one, at(minutes))] });
      await pushBundle(target, digest, Buffer.from(JSON.stringify(bundle)));
    },
    async judge() {
      const key = await activities.checkKey({ ...AUTHORITY, policyRevision });
      assert.ok(key.usable);
      const signatures = await fetch();
      return await activities.verifySignature({ ...about, ...AUTHORITY, keyId: key.keyId, signatures });
    },
    fetch,
  };
}

function sign({ certificate, critical }: Scan, digest: Digest): Signed {
  const statement = { ...cosignStatement(digest), predicateType: TYPE, predicate: { critical } };
  return signEnvelope({ kind: 'certificate', certificate }, Buffer.from(JSON.stringify(statement)));
}

function documents(address: string, requirement: string): string {
  const root = JSON.stringify(JSON.stringify(trustedRootJson(sigstore.trustPlan())));
  const added =
    requirement === ''
      ? ''
      : `---
apiVersion: portcullis.dev/v1alpha1
kind: AuthorityRequirement
metadata: { name: newest }
spec:
  policy: scanned
  ${requirement}
`;
  return `apiVersion: policy.sigstore.dev/v1alpha1
kind: TrustRoot
metadata: { name: acme }
spec:
  trustedRootJSON: ${root}
---
apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: { name: scanned }
spec:
  images: [{ glob: "${address}/demo/**" }]
  authorities:
    - name: scanner
      keyless:
        trustRootRef: acme
        identities: [{ issuer: "${WORKFLOW_ISSUER}", subject: "${WORKFLOW_SUBJECT}" }]
      attestations:
        - name: scan
          predicateType: ${TYPE}
          policy: { type: cel, data: "predicate.critical == false" }
${added}`;
}

const clean = (minutes: number): Scan => ({ certificate: certificateOf(minutes), critical: false });
const bad = (minutes: number): Scan => ({ certificate: certificateOf(minutes), critical: true });

function codesOf(outcome: AuthorityOutcome): readonly string[] {
  return outcome.satisfied ? ['satisfied'] : outcome.rejected.map(({ code }) => code).toSorted();
}

describe('an older clean attestation beside a newer bad one', () => {
  it('is enough where any attestation may count', async (t) => {
    const { push, judge } = await scene(t, '');
    await push(clean(0), 1);
    await push(bad(60), 61);
    assert.deepEqual(codesOf(await judge()), ['satisfied']);
  });

  it('counts for nothing where the newest counts, in whatever order they were pushed', async (t) => {
    for (const order of [0, 1]) {
      const { push, judge } = await scene(t);
      if (order === 0) await push(clean(0), 1);
      await push(bad(60), 61);
      if (order === 1) await push(clean(0), 1);
      assert.deepEqual(codesOf(await judge()), ['ATTESTATION_OUTDATED', 'CONDITION_FAILED']);
    }
  });

  it('says of which times they are', async (t) => {
    const { push, judge } = await scene(t);
    await push(clean(0), 1);
    await push(bad(60), 61);
    const outcome = await judge();
    assert.ok(!outcome.satisfied);
    const outdated = outcome.rejected.find(({ code }) => code === 'ATTESTATION_OUTDATED');
    assert.equal(
      outdated?.sentence,
      'the attestation is of 2026-06-01T12:00:00.000Z, and the newest one, of 2026-06-01T13:00:00.000Z, decides',
    );
  });

  it('stays outdated when it is logged once more, later than the bad one', async (t) => {
    const { push, judge } = await scene(t);
    const old = clean(0);
    await push(old, 1);
    await push(bad(5), 6);
    await push(old, 9, 'intoto 0.0.2');
    assert.deepEqual(codesOf(await judge()), ['ATTESTATION_OUTDATED', 'ATTESTATION_OUTDATED', 'CONDITION_FAILED']);
  });

  it('is no longer found by a claim that names it alone', async (t) => {
    const { push, judge, fetch, activities, name, digest, policyRevision } = await scene(t);
    await push(clean(0), 1);
    const outcome = await judge();
    assert.ok(outcome.satisfied);
    const evidence = await fetch();
    const reasons = [{ code: 'ATTESTATION_VERIFIED', sentence: 'it is attested' }] as const;
    const claim = {
      ...{ decisionId: '0123456789abc', name, digest, reasons, policyRevision },
      ...{ outcome: 'allow' as const, signers: outcome.signers },
    };
    assert.equal((await activities.signVerdict({ claim, evidence })).verdict.outcome, 'allow');
    await push(bad(60), 61);
    await assert.rejects(activities.signVerdict({ claim, evidence }), (error) => {
      assert.ok(error instanceof ApplicationFailure, String(error));
      assert.equal(error.type, 'CLAIM_UNPROVEN', error.message);
      return true;
    });
  });
});

describe('the newest attestation', () => {
  it('is enough when it is clean, whatever an older one found', async (t) => {
    const { push, judge } = await scene(t);
    await push(bad(0), 1);
    await push(clean(60), 61);
    assert.deepEqual(codesOf(await judge()), ['satisfied']);
  });

  it('has to be clean each time where there are several of one time', async (t) => {
    const { push, judge } = await scene(t);
    const certificate = certificateOf(0);
    await push({ certificate, critical: false }, 1);
    await push({ certificate, critical: false }, 2);
    assert.deepEqual(codesOf(await judge()), ['satisfied']);
    await push({ certificate, critical: true }, 1);
    assert.deepEqual(codesOf(await judge()), ['CONDITION_FAILED']);
  });

  it('is of somebody who is trusted: newer junk changes nothing', async (t) => {
    const { push, judge } = await scene(t);
    await push(clean(0), 1);
    await push({ certificate: certificateOf(60, stranger), critical: true }, 61);
    await push({ certificate: certificateOf(60, stranger), critical: true }, 61, 'dsse 0.0.1', stranger);
    assert.deepEqual(codesOf(await judge()), ['satisfied']);
  });

  it('is found among more evidence than one part holds', async (t) => {
    const { push, judge, fetch } = await scene(t);
    for (let i = 0; i < 60; i++) await push(clean(0), 1);
    await push(bad(60), 61);
    assert.equal((await fetch()).length, 61);
    assert.ok(codesOf(await judge()).includes('CONDITION_FAILED'));
  });

  it('cannot be told while a place of evidence gives no answer', async (t) => {
    const { push, fetch, registry } = await scene(t);
    await push(clean(0), 1);
    assert.equal((await fetch()).length, 1);
    registry.setFault({ effect: { kind: 'status', status: 500 }, matches: ({ path }) => path.endsWith('.att') });
    await assert.rejects(fetch(), (error) => error instanceof ApplicationFailure && error.type === 'REGISTRY_ERROR');
  });
});
