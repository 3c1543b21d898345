import { spawn } from 'node:child_process';
import { MAX_AUTH_BYTES, MAX_CREDENTIAL_HELPER_MS } from '../../limits.ts';

/** What helpers need: to be found, their own configuration, and the cloud identity that the worker was given. */
const PASSED_ON =
  /^(?:PATH|HOME|USER|LANG|TMPDIR|DOCKER_CONFIG|XDG_.*|DBUS_SESSION_BUS_ADDRESS|(?:AWS|AZURE|GOOGLE|CLOUDSDK)_.*|(?:https?|no)_proxy)$/i;

/** How a helper ended. Its output may hold a secret, and is never repeated. */
export type HelperEnd =
  | { readonly kind: 'exited'; readonly code: number | null; readonly output: Uint8Array }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'not-started'; readonly reason: string };

export interface HelperCall {
  readonly program: string;
  readonly args: readonly string[];
  /** On its standard input. */
  readonly input: string;
  /** Besides what every helper gets. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program that knows credentials, for a limited time and output. Never rejects. */
export function runHelper({ program, args, input, env = {} }: HelperCall, signal: AbortSignal): Promise<HelperEnd> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve({ kind: 'timeout' });
    const passed = Object.fromEntries(Object.entries(process.env).filter(([name]) => PASSED_ON.test(name)));
    const child = spawn(program, [...args], { env: { ...passed, ...env }, stdio: ['pipe', 'pipe', 'ignore'] });
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
    child.stdin.end(input);
  });
}
