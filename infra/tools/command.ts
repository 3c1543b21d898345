import { spawn } from 'node:child_process';

/** What a command left behind. `code` is undefined when it could not be started, was killed, or ran out of time. */
export interface Outcome {
  readonly code: number | undefined;
  readonly output: string;
  readonly missing: boolean;
}

/** Bytes of output kept, the last ones: an error comes at the end. */
const KEPT = 16_384;

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** Runs a program to its end, with nothing on stdin, and keeps the tail of what it printed. Never rejects. */
export function runCommand(program: string, args: readonly string[], options: CommandOptions = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
      killSignal: 'SIGKILL',
      ...(options.cwd !== undefined && { cwd: options.cwd }),
      ...(options.timeoutMs !== undefined && { timeout: options.timeoutMs }),
    });
    let output = '';
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString('utf8')).slice(-KEPT);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => {
      resolve({ code: undefined, output: error.message, missing: 'code' in error && error.code === 'ENOENT' });
    });
    child.on('close', (code) => resolve({ code: code ?? undefined, output, missing: false }));
  });
}

/** The last line that says something, for a one-sentence error. */
export function lastLine(output: string): string {
  return output.trim().split('\n').at(-1)?.trim() ?? '';
}
