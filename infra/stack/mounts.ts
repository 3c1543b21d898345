import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../tools/command.ts';

/** The mount points below a folder, the deepest first, as `/proc/self/mountinfo` (proc(5)) lists them. */
export async function mountsUnder(dir: string): Promise<readonly string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  return table
    .split('\n')
    .map((line) => unescapeOctal(line.split(' ')[4] ?? ''))
    .filter((mountPoint) => mountPoint.startsWith(`${dir}/`))
    .toReversed();
}

/** Unmounts everything below a folder. Rejects with what could not be unmounted. */
export async function unmountUnder(dir: string): Promise<void> {
  for (const mountPoint of await mountsUnder(dir)) await runCommand('umount', [mountPoint]);
  const left = await mountsUnder(dir);
  if (left.length > 0) throw new Error(`expected nothing mounted below ${dir}, still there: ${left.join(', ')}`);
}

/** Whether overlayfs can be mounted on the file system of a folder; on another overlay, as in a container, it cannot. */
export async function overlayWorks(dir: string): Promise<boolean> {
  const trial = join(dir, 'overlay-trial');
  const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => join(trial, name));
  if (lower === undefined || upper === undefined || work === undefined || merged === undefined) return false;
  for (const folder of [lower, upper, work, merged]) await mkdir(folder, { recursive: true });
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  const mounted = await runCommand('mount', ['-t', 'overlay', 'overlay', '-o', options, merged]);
  if (mounted.code === 0) await unmountUnder(trial);
  await rm(trial, { recursive: true, force: true });
  return mounted.code === 0;
}

function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
