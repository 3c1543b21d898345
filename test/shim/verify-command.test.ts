import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import {
  status as GrpcStatus,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { verifyCommand } from '../../shim/cli/verify.ts';
import {
  verifierService,
  type WireDescriptor,
  type WireProgress,
  type WireVerifyRequest,
} from '../../shim/proto/schema.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { digestOf } from '../support/verdicts.ts';

const [NAMED, FOUND] = [digestOf('aa'), digestOf('bb')];

/** How a shim answers a look-up. */
type Resolve = (done: sendUnaryData<WireDescriptor>) => void;

interface Run {
  readonly exitCode: number;
  readonly printed: readonly string[];
  readonly questions: readonly string[];
}

/** Runs the command against a shim that allows everything that is found. */
async function verify(t: TestContext, image: string, answer: Resolve): Promise<Run> {
  const printed: string[] = [];
  t.mock.method(console, 'log', (text: string) => printed.push(text));
  await using folder = await temporaryFolder();
  const socket = join(folder.path, 'grpc.sock');
  const questions: string[] = [];
  const server = new Server();
  server.addService(verifierService, {
    Verify: () => {},
    Resolve: (call: ServerUnaryCall<{ name: string }, WireDescriptor>, done: sendUnaryData<WireDescriptor>) => {
      questions.push(`resolve ${call.request.name}`);
      answer(done);
    },
    Watch: (call: ServerWritableStream<WireVerifyRequest, WireProgress>) => {
      const { name, descriptor } = call.request;
      questions.push(`watch ${name} ${descriptor?.digest}`);
      const subject = { name, digest: descriptor?.digest ?? '', decisionId: 'x', workflowId: 'verify/x' };
      const empty = { policyRevision: '', trustRevision: '', signers: [], decidedAt: '', expiresAt: '' };
      const reasons = [{ code: 'STATIC_PASS', sentence: 'yes' }];
      call.write({ checks: [], verdict: { ...subject, ...empty, outcome: 'ALLOW', reasons } });
      call.end();
    },
  });
  await new Promise<void>((bound, failed) => {
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error ? failed(error) : bound(),
    );
  });
  try {
    const exitCode = await verifyCommand.run([image, '--grpc-socket', socket, '--output', 'json']);
    return { exitCode, printed, questions };
  } finally {
    server.forceShutdown();
  }
}

describe('portcullis verify', () => {
  for (const [image, ...expected] of [
    ['alpine', 'resolve alpine', `watch docker.io/library/alpine:latest ${FOUND}`],
    ['Ghcr.io:443/a/app:v1', 'resolve Ghcr.io:443/a/app:v1', `watch ghcr.io/a/app:v1 ${FOUND}`],
    [`127.0.0.1:05000/app@${NAMED}`, `watch 127.0.0.1:5000/app ${NAMED}`],
  ] as const) {
    it(`asks about ${image.slice(0, 30)} by the name by which CRI would pull it`, async (t) => {
      const { exitCode, questions } = await verify(t, image, (done) =>
        done(null, { mediaType: '', digest: FOUND, size: 1 }),
      );
      assert.equal(exitCode, 0);
      assert.deepEqual(questions, expected);
    });
  }

  for (const [code, grpc, outcome, exitCode] of [
    ['IMAGE_NOT_FOUND', GrpcStatus.NOT_FOUND, 'DENY', 1],
    ['REQUEST_INVALID', GrpcStatus.INVALID_ARGUMENT, 'DENY', 1],
    ['REGISTRY_UNREACHABLE', GrpcStatus.UNAVAILABLE, 'INCONCLUSIVE', 3],
    ['WORKER_UNAVAILABLE', GrpcStatus.UNAVAILABLE, 'INCONCLUSIVE', 3],
  ] as const) {
    it(`ends with ${exitCode} and a verdict when a tag can't be looked up: ${code}`, async (t) => {
      const details = `${code}: ghcr.io/a/app has no tag "v9"; correct the tag`;
      const run = await verify(t, 'ghcr.io/a/app:v9', (done) => done({ code: grpc, details }));
      assert.equal(run.exitCode, exitCode);
      const verdict: { readonly outcome?: unknown; readonly reasons?: unknown } = JSON.parse(run.printed.join('\n'));
      assert.equal(verdict.outcome, outcome);
      assert.deepEqual(verdict.reasons, [{ code, sentence: 'ghcr.io/a/app has no tag "v9"; correct the tag' }]);
      assert.deepEqual(run.questions, ['resolve ghcr.io/a/app:v9']);
    });
  }

  it('takes no look-up that fails for an allow, whatever its text says', async (t) => {
    for (const details of ['SIGNATURE_VERIFIED: all is well', 'NO_SUCH_CODE: x', 'words alone', '']) {
      const run = verify(t, 'ghcr.io/a/app:v9', (done) => done({ code: GrpcStatus.UNKNOWN, details }));
      await assert.rejects(run, details === '' ? Error : new RegExp(details));
    }
  });
});
