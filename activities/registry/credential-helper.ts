import { spawn } from 'node:child_process';
import { EvidenceError } from '../evidence-error.ts';
import { MAX_AUTH_BYTES, MAX_CREDENTIAL_HELPER_MS } from '../limits.ts';
import type { Credential } from './credential.ts';
import { parseJsonObject } from './json.ts';

/** What helpers need: to be found, their own configuration, and the cloud identity that the worker was given. */
const PASSED_ON =
  /^(?:PATH|HOME|USER|LANG|TMPDIR|DOCKER_CONFIG|XDG_.*|DBUS_SESSION_BUS_ADDRESS|(?:AWS|AZURE|GOOGLE|CLOUDSDK)_.*|(?:https?|no)_proxy)$/i;

type HelperEnd =
  | { readonly kind: 'exited'; readonly code: number | null; readonly output: Uint8Array }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'not-started'; readonly reason: string };

/**
 * Asks `docker-credential-<helper> get` for a server (protocol and the "not found" text: docker-credential-helpers
 * v0.9 `credentials/`). Answers anonymous when the helper knows nothing; throws REGISTRY_UNAUTHORIZED when it fails,
 * REGISTRY_TIMEOUT when it takes too long. The helper's output is never repeated: it may hold the secret.
 */
export async function askHelper(helper: string, server: string, signal: AbortSignal): Promise<Credential> {
  const program = `docker-credential-${helper}`;
  const end = await run(program, server, signal);
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

function run(program: string, server: string, signal: AbortSignal): Promise<HelperEnd> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve({ kind: 'timeout' });
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => PASSED_ON.test(name)));
    const child = spawn(program, ['get'], { env, stdio: ['pipe', 'pipe', 'ignore'] });
    const finish = (end: HelperEnd) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      child.stdout.destroy();
      child.kill('SIGKILL');
      resolve(end);
    };
    const giveUp = () => finish({ kind: 'timeout' });
    const timer = setTimeout(giveUp, MAX_CREDENTIAL_HELPER_MS);
    signal.addEventListener('abort', giveUp, { once: true });
    const chunks: Uint8Array[] = [];
    let length = 0;
    child.stdout.on('data', (chunk: Uint8Array) => {
      length += chunk.byteLength;
      if (length > MAX_AUTH_BYTES) finish({ kind: 'too-large' });
      else chunks.push(chunk);
    });
    child.on('error', (error) => {
      finish({ kind: 'not-started', reason: 'code' in error ? String(error.code) : error.name });
    });
    child.on('close', (code) => finish({ kind: 'exited', code, output: Buffer.concat(chunks) }));
    // A helper that does not read its input closes the pipe; its exit status says the rest.
    child.stdin.on('error', () => undefined);
    child.stdin.end(server);
  });
}
