import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startShim } from '../../infra/stack/portcullis.ts';
import type { Activities } from '../../workflows/activities.ts';
import type { Verdict } from '../../workflows/verdict/verdict.ts';
import { STATEMENT_PAYLOAD_TYPE, toStatement } from '../../workflows/verdict/verification-summary.ts';
import { type DevServer, startDevServer } from '../support/dev-server.ts';
import { createTestActivities } from '../support/evidence.ts';
import { assertAllowed, assertRefused, pullThrough } from '../support/pull.ts';
import { createTestVerdictKey, digestOf, TEST_FLEET, type TestVerdictKey } from '../support/verdicts.ts';
import { startWorkflowWorker } from '../support/workflow-worker.ts';

const key = createTestVerdictKey();
const honest = createTestActivities(key);
const digest = digestOf('ab');

let server: DevServer;
let dir: string;
before(async () => {
  server = await startDevServer();
  dir = await mkdtemp(join(tmpdir(), 'portcullis-lying-'));
  await writeFile(join(dir, 'verdict.pub'), key.publicKey.export({ type: 'spki', format: 'pem' }));
});
after(async () => {
  await server.stop();
  await rm(dir, { recursive: true });
});

/** Signs what the honest worker would, bent by `changes`, with `signer`. */
function signing(changes: Partial<Verdict>, signer: TestVerdictKey = key): Activities['signVerdict'] {
  return async (request) => {
    const { verdict } = await honest.signVerdict(request);
    const bent = { ...verdict, ...changes };
    return { verdict, envelope: signer.envelope(STATEMENT_PAYLOAD_TYPE, toStatement(bent)) };
  };
}

const past = (ms: number): string => new Date(Date.now() - ms).toISOString();

/** What a server, or whoever answers on its task queue, can send instead of the verdict; and what the node says. */
const LIES: readonly [string, Partial<Activities>, string][] = [
  [
    'an unsigned allow',
    {
      signVerdict: async (asked) => ({
        ...(await honest.signVerdict(asked)),
        envelope: { payloadType: '', payload: '', signatures: [] },
      }),
    },
    'VERDICT_UNSIGNED',
  ],
  ['an allow signed by another key', { signVerdict: signing({}, createTestVerdictKey()) }, 'VERDICT_FORGED'],
  ['an allow about another image', { signVerdict: signing({ digest: digestOf('cd') }) }, 'VERDICT_MISMATCH'],
  ['an allow about another name', { signVerdict: signing({ name: '127.0.0.1:5000/other:v1' }) }, 'VERDICT_MISMATCH'],
  ['an allow under an older policy', { signVerdict: signing({ policyRevision: 'd'.repeat(64) }) }, 'VERDICT_MISMATCH'],
  ['an allow for another fleet', { signVerdict: signing({ fleet: 'staging' }) }, 'VERDICT_MISMATCH'],
  ['an allow for no fleet', { signVerdict: signing({ fleet: undefined }) }, 'VERDICT_MISMATCH'],
  [
    'an expired allow',
    { signVerdict: signing({ decidedAt: past(20_000), expiresAt: past(1_000) }) },
    'VERDICT_EXPIRED',
  ],
  [
    'a policy revision nobody signed',
    { describePolicy: async () => ({ ...(await honest.describePolicy()), signatures: [] }) },
    'POLICY_UNKNOWN',
  ],
];

describe('a Temporal server can not open the gate', () => {
  it('unless it carries the signed verdict', async () => {
    assertAllowed(await pullBehind({}, 'honest'));
  });

  for (const [i, [what, changes, code]] of LIES.entries()) {
    it(`with ${what}`, async () => assertRefused(await pullBehind(changes, `lie-${i}`), code));
  }
});

async function pullBehind(changes: Partial<Activities>, name: string) {
  const worker = await startWorkflowWorker(server.address, createTestActivities(key, changes));
  const launcherSocket = join(dir, `${name}.sock`);
  const shim = await startShim({
    ...{ dir, name, launcherSocket, grpcSocket: join(dir, `${name}-grpc.sock`), temporal: server.address },
    verdictKeys: join(dir, 'verdict.pub'),
    taskQueue: worker.taskQueue,
    fleet: TEST_FLEET,
  });
  try {
    return await pullThrough(launcherSocket, `127.0.0.1:5000/${name}:v1`, digest);
  } finally {
    await shim.stop();
    await worker.stop();
  }
}
