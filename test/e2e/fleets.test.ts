import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startShim, startWorker } from '../../infra/stack/portcullis.ts';
import type { ServerProcess } from '../../infra/stack/process.ts';
import type { Backend } from '../../shim/backend/backend.ts';
import { connectBackend } from '../../shim/backend/temporal.ts';
import { parseOfflineFile } from '../../shim/offline/offline-file.ts';
import { parseEnvelope } from '../../shim/verdict-keys/verdict-keys.ts';
import type { Activities } from '../../workflows/activities.ts';
import { parseDigest } from '../../workflows/format/digest.ts';
import type { Envelope, SignedVerdict } from '../../workflows/verdict/verdict.ts';
import { createTestActivities } from '../support/evidence.ts';
import { startHouseContainerd } from '../support/house-containerd.ts';
import { pushImage } from '../support/image.ts';
import { assertRefused, pullThrough, startTestHouse, type TestHouse } from '../support/pull.ts';
import { createTestVerdictKey } from '../support/verdicts.ts';
import { startWorkflowWorker } from '../support/workflow-worker.ts';
import { eventually } from './guarded-node.ts';

const PROGRAM = fileURLToPath(new URL('../../infra/portcullis', import.meta.url));

/** Both fleets share a namespace and, against all advice, a verdict key; only staging allows what is not signed. */
let house: TestHouse;
let staging: ServerProcess;
let stagingBackend: Backend;
const PASS = `apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {name: staging}
spec: {images: [{glob: "**"}], authorities: [{static: {action: pass}}]}
---
apiVersion: portcullis.dev/v1alpha1
kind: OfflineUse
metadata: {name: long}
spec: {images: [{glob: "**"}], for: 2160h}
`;

before(async () => {
  house = await startTestHouse();
  const policyDirectory = join(house.dir, 'staging');
  await mkdir(policyDirectory);
  await writeFile(join(policyDirectory, 'pass.yaml'), PASS);
  const { dir, temporal, verdictKey } = house;
  const args = ['--task-queue', 'staging'];
  staging = await startWorker({ dir, name: 'staging', temporal: temporal.address, policyDirectory, verdictKey, args });
  process.env['TEMPORAL_ADDRESS'] = temporal.address;
  stagingBackend = connectBackend('staging');
});
after(async () => {
  await stagingBackend.close();
  await staging.stop();
  await house.stop();
});

async function unsigned() {
  const { address } = house.registry;
  const files = { unique: randomUUID() };
  return await pushImage({ registry: address, repository: 'demo/app', tag: randomUUID(), files });
}

/** A node of a fleet that asks on a task queue. */
async function startNode(name: string, taskQueue: string, fleet: string) {
  const launcherSocket = join(house.dir, 'run', `${name}.sock`);
  const shim = await startShim({
    ...{ dir: house.dir, name, temporal: house.temporal.address, verdictKeys: house.verdictPublicKey },
    ...{ launcherSocket, grpcSocket: join(house.dir, 'run', `${name}-grpc.sock`), taskQueue, fleet },
    state: join(house.dir, `state-${name}`),
  });
  return { shim, launcherSocket };
}

/** The first statement of some workers: their workflow may have just begun. */
async function statementOf(backend: Backend): Promise<Envelope> {
  return await eventually('a policy statement', async () =>
    parseEnvelope(await backend.policyHead(Date.now() + 5_000)),
  );
}

/** What staging's worker signed about an image, as anyone who may use the namespace gets it. */
async function signedByStaging(image: { readonly name: string; readonly digest: string }) {
  const statement = await statementOf(stagingBackend);
  const { policyRevision } = JSON.parse(Buffer.from(statement.payload, 'base64').toString());
  const digest = parseDigest(image.digest);
  assert.ok(digest !== undefined);
  const input = { decisionId: '0123456789abc', name: image.name, digest, policyRevision };
  const question = { workflowId: `verify/${image.name}`, input, node: 'nobody' };
  return { statement, verdict: (await stagingBackend.verify(question, Date.now() + 10_000)) as SignedVerdict };
}

function portcullis(...args: readonly string[]): Promise<{ readonly code: number; readonly text: string }> {
  const env = { ...process.env, TEMPORAL_ADDRESS: house.temporal.address };
  return new Promise((resolve) => {
    execFile(PROGRAM, [...args, '--verdict-keys', house.verdictPublicKey], { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), text: stdout + stderr });
    });
  });
}

const BOTH = /fleet "staging", and this node belongs to fleet "production"/;

describe('a node of production, with the key that staging signs with, too', () => {
  it('does not use what staging signed, whoever carries it here by Temporal', async () => {
    const image = await unsigned();
    const { statement, verdict } = await signedByStaging(image);
    assert.equal(verdict.verdict.outcome, 'allow');
    const lies: readonly (readonly [string, Partial<Activities>, string])[] = [
      ['both', { describePolicy: async () => statement, signVerdict: async () => verdict }, 'POLICY_UNKNOWN'],
      ['verdict', { signVerdict: async () => verdict }, 'VERDICT_MISMATCH'],
    ];
    for (const [name, lie, code] of lies) {
      const production = createTestActivities(createTestVerdictKey());
      const genuine = connectBackend('portcullis');
      const describePolicy = () => statementOf(genuine);
      const worker = await startWorkflowWorker(house.temporal.address, { ...production, describePolicy, ...lie });
      // The workers of the house sign for the fleet "portcullis": that is production's own name in the second case.
      const fleet = name === 'both' ? 'production' : 'portcullis';
      const node = await startNode(`${name}-node`, worker.taskQueue, fleet);
      try {
        const run = await pullThrough(node.launcherSocket, image.name, image.digest);
        assertRefused(run, code);
        assert.match(run.stdout, new RegExp(BOTH.source.replace('production', fleet)));
      } finally {
        await node.shim.stop();
        await worker.stop();
        await genuine.close();
      }
    }
  });

  it('does not use it by file, for ninety days or at all', async () => {
    const image = await unsigned();
    const file = join(house.dir, 'offline.json');
    const exported = await portcullis('export', image.name, '--out', file, '--task-queue', 'staging');
    assert.equal(exported.code, 0, exported.text);
    assert.ok(parseOfflineFile(await readFile(file)).ok);
    const args = [file, '--state', join(house.dir, 'state-air')];
    const foreign = await portcullis('import', ...args, '--fleet', 'production');
    assert.equal(foreign.code, 1, foreign.text);
    assert.match(foreign.text, BOTH);
    const own = await portcullis('import', ...args, '--fleet', 'staging');
    assert.equal(own.code, 0, own.text);
  });

  it('is told so by containerd, when its daemon and its workers name different fleets', async () => {
    const image = await unsigned();
    const node = await startNode('other', 'staging', 'production');
    const dir = join(house.dir, 'c');
    await mkdir(dir);
    const containerd = await startHouseContainerd(dir, { ...house, launcherSocket: node.launcherSocket });
    try {
      assert.equal(await containerd.pull(image.name), 'POLICY_UNKNOWN');
      await node.shim.stop();
      const same = await startNode('other', 'staging', 'staging');
      try {
        assert.equal(await containerd.pull(image.name), undefined, 'the image passes in its own fleet');
      } finally {
        await same.shim.stop();
      }
    } finally {
      await containerd.stop();
    }
  });
});
