import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { status as GrpcStatus, Metadata, Server, ServerCredentials, type ServerWritableStream } from '@grpc/grpc-js';
import { connectVerifier } from '../../shim/cli/verifier-client.ts';
import {
  statusMessage,
  verdictMessage,
  verifierService,
  type WireProgress,
  type WireVerdict,
} from '../../shim/proto/schema.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { digestOf } from '../support/verdicts.ts';

type Answer = (call: ServerWritableStream<unknown, WireProgress>) => void;

/** Asks a shim that answers as it likes. */
async function watch(answer: Answer): Promise<WireVerdict> {
  await using folder = await temporaryFolder();
  const socket = join(folder.path, 'grpc.sock');
  const server = new Server();
  server.addService(verifierService, { Watch: answer, Verify: () => {}, Resolve: () => {} });
  await new Promise<void>((bound, failed) => {
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error ? failed(error) : bound(),
    );
  });
  const client = connectVerifier(socket);
  try {
    return await client.watch('127.0.0.1:5000/demo/app:v1', digestOf('ab'), () => {});
  } finally {
    client.close();
    server.forceShutdown();
  }
}

function aVerdict(outcome: WireVerdict['outcome']): WireVerdict {
  return {
    ...{ decisionId: '0123456789abc', name: 'demo', digest: digestOf('ab'), outcome, workflowId: 'verify/demo' },
    reasons: [{ code: 'UNSIGNED', sentence: 'no signature' }],
    ...{ policyRevision: 'c'.repeat(64), trustRevision: '', signers: [], decidedAt: '', expiresAt: '' },
  };
}

function refuse(call: ServerWritableStream<unknown, WireProgress>, details: Uint8Array): void {
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from(details));
  call.emit('error', { code: GrpcStatus.PERMISSION_DENIED, details: 'UNSIGNED: no signature', metadata });
}

function statusWith(verdict: WireVerdict): Uint8Array {
  const details = [{ type_url: verdictMessage.typeUrl, value: verdictMessage.encode(verdict) }];
  return statusMessage.encode({ code: GrpcStatus.PERMISSION_DENIED, message: 'UNSIGNED', details });
}

describe('the client of the command line', () => {
  it('answers an allow that was sent and ended with OK', async () => {
    const verdict = await watch((call) => {
      call.write({ checks: [], verdict: aVerdict('ALLOW') });
      call.end();
    });
    assert.equal(verdict.outcome, 'ALLOW');
  });

  it('answers the verdict in the detail of a refusal', async () => {
    const verdict = await watch((call) => refuse(call, statusWith(aVerdict('DENY'))));
    assert.deepEqual(verdict, aVerdict('DENY'));
  });

  const NO_ANSWERS: readonly [string, Answer, RegExp][] = [
    ['OK without any verdict', (call) => call.end(), /without an allow and without an error/],
    [
      'OK after a deny',
      (call) => {
        call.write({ checks: [], verdict: aVerdict('DENY') });
        call.end();
      },
      /without an allow and without an error/,
    ],
    [
      'an allow, and then an error without detail',
      (call) => {
        call.write({ checks: [], verdict: aVerdict('ALLOW') });
        call.emit('error', { code: GrpcStatus.UNAVAILABLE, details: 'TEMPORAL_UNREACHABLE: nobody there' });
      },
      /TEMPORAL_UNREACHABLE: nobody there/,
    ],
    ['an error whose detail is an allow', (call) => refuse(call, statusWith(aVerdict('ALLOW'))), /UNSIGNED/],
    [
      'an error whose detail has no outcome',
      (call) => refuse(call, statusWith(aVerdict('OUTCOME_UNSPECIFIED'))),
      /UNSIGNED/,
    ],
    ['an error whose detail is garbage', (call) => refuse(call, Buffer.from('ffffff', 'hex')), /UNSIGNED/],
  ];
  for (const [what, answer, message] of NO_ANSWERS) {
    it(`takes ${what} for no verdict`, async () => {
      await assert.rejects(watch(answer), message);
    });
  }
});
