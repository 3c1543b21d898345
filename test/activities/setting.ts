import { randomUUID } from 'node:crypto';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createActivities } from '../../activities/activities.ts';
import { appliedRevision } from '../../activities/authority/applied-policy.ts';
import { JudgementCache } from '../../activities/authority/judgement-cache.ts';
import type { Dependencies } from '../../activities/dependencies.ts';
import { createManagedKeys } from '../../activities/kms/checked/checked-keys.ts';
import { loadKeyManager } from '../../activities/kms/key-managers.ts';
import { MAX_JUDGEMENTS, MAX_KEPT_STATEMENTS } from '../../activities/limits.ts';
import { createPolicyStore, type PolicyStore } from '../../activities/policy/store.ts';
import { trustRootNames } from '../../activities/policy/trust-root-names.ts';
import { EvidenceCache } from '../../activities/registry/cache.ts';
import { credentialsFrom } from '../../activities/registry/credentials/docker-credentials.ts';
import { createRegistry } from '../../activities/registry/registry.ts';
import { createLiveLogs } from '../../activities/rekor/live-logs.ts';
import { createRecentPlaces } from '../../activities/revocation/recent-places.ts';
import { openRevocationBook } from '../../activities/revocation/revocation-book.ts';
import { createTrustStore } from '../../activities/trust/store.ts';
import { createVerdictKey, loadVerdictKey } from '../../activities/verdict-key/verdict-key.ts';
import { loadVerdictKeys } from '../../shim/verdict-keys/key-files.ts';
import type { VerdictKeys } from '../../shim/verdict-keys/verdict-keys.ts';
import type { Activities, SignatureReference } from '../../workflows/activities.ts';
import type { Digest } from '../../workflows/format/digest.ts';
import type { SignedVerdict } from '../../workflows/verdict/verdict.ts';
import { type FakeRegistry, startFakeRegistry } from '../support/registry.ts';
import { pushBundle, pushImage, type Target } from '../support/registry-push.ts';
import { cosignBundle, type SigningKey } from '../support/signer.ts';
import { TEST_FLEET } from '../support/verdicts.ts';
import { startWorkflowWorker } from '../support/workflow-worker.ts';

/** The activities on a policy directory, a verdict key and a registry of a test's own. */
export interface Setting {
  readonly registry: FakeRegistry;
  readonly dependencies: Dependencies;
  readonly activities: Activities;
  /** What a node would believe. */
  readonly verdictKeys: VerdictKeys;
  readonly policyDirectory: string;
  readonly policy: PolicyStore;
  /** Replaces all policies, and answers the revision: `demo/**` of the registry must be signed by one of the keys of each. */
  writePolicies(policies: Readonly<Record<string, readonly SigningKey[]>>): Promise<string>;
  /** Replaces all policies by these documents, and answers the revision. */
  writeDocuments(text: string): Promise<string>;
  /** Pushes an image that the keys have signed as cosign 3 does. */
  pushSigned(...keys: readonly SigningKey[]): Promise<SignedImage>;
}

export interface SignedImage {
  readonly name: string;
  readonly digest: Digest;
  /** In the order of the keys. */
  readonly evidence: readonly SignatureReference[];
}

const LONG_AGO = 3_600_000;

/** Everything is gone after the test. `cachedBytes` is what the worker holds of evidence. */
export async function createSetting(t: TestContext, cachedBytes = 1_000_000): Promise<Setting> {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-activities-'));
  const registry = await startFakeRegistry();
  const files = { private: join(dir, 'verdict.key'), public: join(dir, 'verdict.pub') };
  await createVerdictKey(files.private, files.public);
  const policyDirectory = await mkdtemp(join(dir, 'policy-'));
  const trust = createTrustStore();
  const policy = await createPolicyStore(policyDirectory, {
    pollMs: LONG_AGO,
    prepare: (set) => trust.use(set.trustRoots, trustRootNames(set)),
  });
  t.after(async () => {
    policy.stop();
    trust.stop();
    await registry.stop();
    await rm(dir, { recursive: true });
  });
  const cache = new EvidenceCache(cachedBytes);
  const dependencies: Dependencies = {
    ...{
      policy,
      trust,
      fleet: TEST_FLEET,
      revocations: openRevocationBook(policy, undefined),
      absences: new Map(),
      places: createRecentPlaces(),
    },
    registry: createRegistry({ cache, credentials: async () => ({ kind: 'anonymous' }) }),
    registryWith: (config) => createRegistry({ cache, credentials: credentialsFrom(config) }),
    logs: createLiveLogs(),
    keys: createManagedKeys({ managers: loadKeyManager }),
    verdictKey: await loadVerdictKey(files.private),
    judgements: new JudgementCache({ most: MAX_JUDGEMENTS, statements: MAX_KEPT_STATEMENTS }),
  };
  const writeDocuments = async (text: string) => {
    await writeFile(join(policyDirectory, '.new'), text);
    await rename(join(policyDirectory, '.new'), join(policyDirectory, 'policies.yaml'));
    const state = await policy.reload();
    if (!state.ok || state.rejected !== undefined) throw new Error(JSON.stringify(state));
    return appliedRevision(dependencies);
  };
  return {
    ...{ registry, dependencies, policy, policyDirectory },
    activities: inActivityContext(createActivities(dependencies)),
    verdictKeys: await loadVerdictKeys(files.public),
    async writePolicies(policies) {
      const text = Object.entries(policies).map(([name, keys]) => policyText(name, registry.address, keys));
      return await writeDocuments(text.join('---\n'));
    },
    writeDocuments,
    async pushSigned(...keys) {
      const target = { address: registry.address, repository: 'demo/app' };
      const digest = await pushImage(target, 'v1');
      const evidence: SignatureReference[] = [];
      for (const key of keys) {
        const pushed = await pushBundle(target, digest, cosignBundle(key, digest));
        evidence.push({ format: 'bundle', place: 'referrers', source: {}, ...pushed });
      }
      return { name: `${registry.address}/demo/app:v1`, digest, evidence };
    },
  };
}

/** A whole worker with one policy, and a registry that can be made to fail. */
export interface Scene extends Setting {
  readonly target: Target;
  /** What a pull of the image comes to. */
  verify(image: Pick<SignedImage, 'name' | 'digest'>): Promise<SignedVerdict['verdict']>;
}

/** A worker on the Temporal server at an address, whose policy `demo` wants a signature by the key. */
export async function startScene(t: TestContext, temporal: string, key: SigningKey): Promise<Scene> {
  const setting = await createSetting(t, 64_000_000);
  const policyRevision = await setting.writePolicies({ demo: [key] });
  const worker = await startWorkflowWorker(temporal, createActivities(setting.dependencies));
  t.after(() => worker.stop());
  return {
    ...setting,
    target: { address: setting.registry.address, repository: 'demo/app' },
    async verify({ name, digest }) {
      const input = { decisionId: '0123456789abc', name, digest, policyRevision };
      const asked = { workflowId: `verify/${randomUUID()}`, input, node: 'test-node' };
      // The cast stands for the node, which checks the envelope.
      const answer = (await worker.backend.verify(asked, Date.now() + 60_000)) as SignedVerdict;
      return answer.verdict;
    },
  };
}

/** The SDK reports each failed activity as a warning. */
const logger = new DefaultLogger('ERROR');

/** Each call as a worker would make it. */
function inActivityContext(activities: Activities): Activities {
  const run = <A extends readonly unknown[], R>(activity: (...args: A) => Promise<R>) => {
    return (...args: A): Promise<R> =>
      new MockActivityEnvironment({ startToCloseTimeoutMs: 10_000 }, { logger }).run(() => activity(...args));
  };
  return {
    resolvePolicy: run(activities.resolvePolicy),
    fetchSignatures: run(activities.fetchSignatures),
    checkKey: run(activities.checkKey),
    verifySignature: run(activities.verifySignature),
    checkTransparencyLog: run(activities.checkTransparencyLog),
    signVerdict: run(activities.signVerdict),
    describePolicy: run(activities.describePolicy),
    resolveDescriptor: run(activities.resolveDescriptor),
  };
}

function policyText(name: string, address: string, keys: readonly SigningKey[]): string {
  const authorities = keys.map(
    (key, i) => `    - name: key-${i}\n      key:\n        data: ${JSON.stringify(key.publicPem)}\n`,
  );
  return `apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata:
  name: ${name}
spec:
  images:
    - glob: "${address}/demo/**"
  authorities:
${authorities.join('')}`;
}
