import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import {
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

/** Runs the command against a shim that allows everything, and answers what it was asked. */
async function asked(t: TestContext, image: string): Promise<readonly string[]> {
  t.mock.method(console, 'log', () => {});
  await using folder = await temporaryFolder();
  const socket = join(folder.path, 'grpc.sock');
  const questions: string[] = [];
  const server = new Server();
  server.addService(verifierService, {
    Verify: () => {},
    Resolve: (call: ServerUnaryCall<{ name: string }, WireDescriptor>, done: sendUnaryData<WireDescriptor>) => {
      questions.push(`resolve ${call.request.name}`);
      done(null, { mediaType: '', digest: FOUND, size: 1 });
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
    assert.equal(await verifyCommand.run([image, '--grpc-socket', socket, '--output', 'json']), 0);
    return questions;
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
      assert.deepEqual(await asked(t, image), expected);
    });
  }
});
