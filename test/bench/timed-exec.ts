import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface Program {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: string;
}

export interface TimedExit {
  /** From just before the exec until this process hears of the exit. */
  readonly milliseconds: number;
  readonly exitCode: number | null;
  /** Standard output and error. */
  readonly output: string;
}

/** Runs a program to its end; every program of a comparison goes through here. Rejects when it cannot be executed. */
export async function timeExec(program: Program): Promise<TimedExit> {
  const begun = performance.now();
  const child = spawn(program.file, program.args, { cwd: program.cwd, env: program.env });
  let ended = begun;
  child.once('exit', () => {
    ended = performance.now();
  });
  const closed = once(child, 'close');
  let output = '';
  const keep = (chunk: string) => {
    output += chunk;
  };
  child.stdout.setEncoding('utf8').on('data', keep);
  child.stderr.setEncoding('utf8').on('data', keep);
  child.stdin.on('error', () => {}); // a program that reads nothing may be gone by now
  child.stdin.end(program.stdin);
  await closed;
  return { milliseconds: ended - begun, exitCode: child.exitCode, output };
}

/** As `timeExec`; rejects with what the program said when it does not exit with 0. */
export async function timeSuccess(program: Program): Promise<number> {
  const { milliseconds, exitCode, output } = await timeExec(program);
  if (exitCode === 0) return milliseconds;
  throw new Error(`${program.file} ${program.args.join(' ')}: expected exit code 0, found ${exitCode}: ${output}`);
}
