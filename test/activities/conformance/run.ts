import { mock } from 'node:test';
import { conformanceCommand } from '../../../activities/cli/conformance.ts';
import { agreeWithClient } from './second-opinion.ts';

export interface CommandRun {
  readonly code: number;
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
}

/**
 * Runs `portcullis conformance verify-bundle` in this process; one at a time, because it prints to the console. What it
 * verifies by a certificate, an independent judge has to verify as well.
 */
export async function verifyBundle(args: readonly string[]): Promise<CommandRun> {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const log = mock.method(console, 'log', (line: string) => stdout.push(line));
  const error = mock.method(console, 'error', (line: string) => stderr.push(line));
  try {
    const code = await conformanceCommand.run(args);
    if (code === 0) await agreeWithClient(args.slice(args[0] === 'verify-bundle' ? 1 : 0));
    return { code, stdout, stderr };
  } finally {
    log.mock.restore();
    error.mock.restore();
  }
}
