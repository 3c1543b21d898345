import { mock } from 'node:test';
import { conformanceCommand } from '../../../activities/cli/conformance.ts';

export interface CommandRun {
  readonly code: number;
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
}

/** Runs `portcullis conformance verify-bundle` in this process; one at a time, because it prints to the console. */
export async function verifyBundle(args: readonly string[]): Promise<CommandRun> {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const log = mock.method(console, 'log', (line: string) => stdout.push(line));
  const error = mock.method(console, 'error', (line: string) => stderr.push(line));
  try {
    return { code: await conformanceCommand.run(args), stdout, stderr };
  } finally {
    log.mock.restore();
    error.mock.restore();
  }
}
