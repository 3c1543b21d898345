import { spawn } from 'node:child_process';

/** What a command left behind. `code` is undefined when it could not be started, was killed, or ran out of time. */
export interface Outcome {
  readonly code: number | undefined;
  /** The beginning of standard output. An answer is read from this alone: programs write progress and warnings to stderr. */
  readonly printed: string;
  /** The end of what it wrote to both streams, for an error. */
  readonly output: string;
  readonly missing: boolean;
}

/** Characters kept of each text. An answer comes at the beginning, an error at the end. */
const KEPT = 16_384;

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** Runs a program to its end, with nothing on stdin, and keeps a bounded part of what it printed. Never rejects. */
export function runCommand(program: string, args: readonly string[], options: CommandOptions = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
      killSignal: 'SIGKILL',
      ...(options.cwd !== undefined && { cwd: options.cwd }),
      ...(options.timeoutMs !== undefined && { timeout: options.timeoutMs }),
    });
    let printed = '';
    let output = '';
    const keep = (chunk: string) => {
      output = (output + chunk).slice(-KEPT);
    };
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      printed = (printed + chunk).slice(0, KEPT);
      keep(chunk);
    });
    child.stderr.setEncoding('utf8').on('data', keep);
    child.on('error', (error) => {
      const missing = 'code' in error && error.code === 'ENOENT';
      resolve({ code: undefined, printed: '', output: error.message, missing });
    });
    child.on('close', (code) => resolve({ code: code ?? undefined, printed, output, missing: false }));
  });
}

/** The last line that says something, for a one-sentence error. */
export function lastLine(output: string): string {
  return output.trim().split('\n').at(-1)?.trim() ?? '';
}
