import { EvidenceError } from '../../evidence-error.ts';
import { MAX_AUTH_BYTES } from '../../limits.ts';
import { parseJsonObject } from '../json.ts';
import type { Credential } from './credential.ts';
import { runHelper } from './run-helper.ts';

/**
 * Asks `docker-credential-<helper> get` for a server (protocol and the "not found" text: docker-credential-helpers
 * v0.9 `credentials/`). Answers anonymous when the helper knows nothing; throws REGISTRY_UNAUTHORIZED when it fails,
 * REGISTRY_TIMEOUT when it takes too long. The helper's output is never repeated: it may hold the secret.
 */
export async function askHelper(helper: string, server: string, signal: AbortSignal): Promise<Credential> {
  const program = `docker-credential-${helper}`;
  const end = await runHelper({ program, args: ['get'], input: server }, signal);
  switch (end.kind) {
    case 'not-started':
      throw failed(program, server, `could not be started (${end.reason}); is it on the worker's PATH?`);
    case 'too-large':
      throw failed(program, server, `printed more than ${MAX_AUTH_BYTES} bytes`);
    case 'timeout':
      throw new EvidenceError('REGISTRY_TIMEOUT', `${program} get for ${server}: no answer within the time limit`, {
        retryable: true,
      });
    case 'exited':
      return readAnswer(program, server, end.code, end.output);
  }
}

function readAnswer(program: string, server: string, code: number | null, output: Uint8Array): Credential {
  if (code !== 0) {
    const text = Buffer.from(output).toString('utf8');
    if (text.includes('credentials not found in native keychain')) return { kind: 'anonymous' };
    throw failed(program, server, `expected exit status 0, got ${code ?? 'a signal'}; run it by hand to see why`);
  }
  const answer = parseJsonObject(output);
  const username = answer?.['Username'];
  const secret = answer?.['Secret'];
  if (typeof username !== 'string' || typeof secret !== 'string' || secret === '') {
    throw failed(program, server, 'expected JSON with Username and Secret on its output, found something else');
  }
  return username === '<token>'
    ? { kind: 'identity-token', token: secret }
    : { kind: 'password', username, password: secret };
}

function failed(program: string, server: string, found: string): EvidenceError {
  return new EvidenceError('REGISTRY_UNAUTHORIZED', `${program} get for ${server}: ${found}`, { retryable: false });
}
