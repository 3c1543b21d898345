import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { askBackend } from '../../shim/backend/ask.ts';
import { watchPolicy } from '../../shim/backend/policy-watch.ts';
import type { Activities, LogMode } from '../../workflows/activities.ts';
import { SHIM_DEADLINE_MS } from '../../workflows/verdict/deadlines.ts';
import { startDevServer } from '../support/dev-server.ts';
import { createTestActivities, lasting, passing } from '../support/evidence.ts';
import { createTestVerdictKey, digestOf, TEST_FLEET } from '../support/verdicts.ts';
import { startWorkflowWorker } from '../support/workflow-worker.ts';

const key = createTestVerdictKey();
const good = createTestActivities(key);

/** Fails twice on the fast path and once on the durable one. */
function flaky(): Activities['fetchSignatures'] {
  let failures = 3;
  return (asked) =>
    failures-- > 0 ? Promise.reject(passing('REGISTRY_ERROR', 'got 503')) : good.fetchSignatures(asked);
}

const reference = { policy: 'demo', authority: 'release' } as const;

function withLog(log: LogMode): Activities['resolvePolicy'] {
  const authorities = [{ ...reference, log, sources: [{}] }];
  return async () => ({ loaded: 1, matching: [{ name: 'demo', mode: 'enforce', authorities }] });
}

/** One run for each way through the workflow. */
const SCENES: Readonly<Record<string, Partial<Activities>>> = {
  allow: {},
  unsigned: { fetchSignatures: async () => ({ signatures: [], unreadable: [] }) },
  'no-matching-policy': { resolvePolicy: async () => ({ loaded: 1, matching: [] }) },
  'registry-unauthorized': { fetchSignatures: () => Promise.reject(lasting('REGISTRY_UNAUTHORIZED', 'got 401')) },
  'retried-durably': { fetchSignatures: flaky() },
  'log-offline': { resolvePolicy: withLog('offline') },
  'log-consistency': {
    resolvePolicy: withLog('consistency'),
    checkTransparencyLog: async ({ signatures }) => {
      const rejected = { code: 'LOG_INCONSISTENT', sentence: 'two histories' } as const;
      return { confirmed: [], rejected: signatures.map(({ blob }) => ({ blob, ...rejected })), detail: '' };
    },
    verifySignature: async (asked) =>
      asked.signatures.length > 0 ? await good.verifySignature(asked) : { satisfied: false, rejected: [] },
  },
  'key-disabled': {
    checkKey: async () => ({ usable: false, code: 'KEY_DISABLED', sentence: 'its owner disabled it' }),
  },
  'log-lookup': { resolvePolicy: withLog('lookup') },
  warned: {
    resolvePolicy: async () => ({
      loaded: 1,
      matching: [{ name: 'demo', mode: 'warn', authorities: [{ ...reference, sources: [{}] }] }],
    }),
    fetchSignatures: () => Promise.reject(passing('REGISTRY_ERROR', 'got 503')),
  },
};

/** What names the recording machine has no part in a replay: stack traces, and `<process>@<host>` as an identity. */
function withoutMachine(json: string): string {
  const nameless = (field: string, value: unknown): unknown => {
    if (field === 'stackTrace') return '';
    return typeof value === 'string' && /^\d+@/.test(value) ? 'recorder' : value;
  };
  return JSON.stringify(JSON.parse(json, nameless), undefined, 1);
}

const folder = fileURLToPath(new URL('./histories/', import.meta.url));
await mkdir(folder, { recursive: true });
const server = await startDevServer();
for (const [scene, changes] of Object.entries(SCENES)) {
  const worker = await startWorkflowWorker(server.address, createTestActivities(key, changes));
  const keys = key.accepted();
  const policy = watchPolicy(
    worker.backend,
    () => keys,
    () => {},
    { fleet: TEST_FLEET },
  );
  const gate = { backend: worker.backend, policy, keys: () => keys, fleet: TEST_FLEET, node: 'recorder' };
  const { workflowId } = await askBackend(
    gate,
    { name: `127.0.0.1:5000/replay/${scene}:v1`, digest: digestOf('ab') },
    { deadline: Date.now() + SHIM_DEADLINE_MS },
  );
  const handle = server.client.workflow.getHandle(String(workflowId));
  await handle.result();
  await writeFile(`${folder}${scene}.json`, `${withoutMachine(historyToJSON(await handle.fetchHistory()))}\n`);
  console.log(scene, workflowId);
  policy.stop();
  await worker.stop();
}
const stating = await startWorkflowWorker(server.address, good);
await stating.backend.policyHead(Date.now() + 5_000);
const statement = server.client.workflow.getHandle(`policy/${stating.taskQueue}`);
await writeFile(`${folder}state-policy.json`, `${withoutMachine(historyToJSON(await statement.fetchHistory()))}\n`);
await stating.stop();
await server.stop();
