import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Find } from './campaign.ts';
import { writeInput } from './input.ts';

const REGRESSIONS = fileURLToPath(new URL('regressions/', import.meta.url));

/** Keeps a find where the tests replay it; answers the name of the file. */
export async function keep(target: string, seed: string, { number, input }: Find): Promise<string> {
  const folder = join(REGRESSIONS, target);
  await mkdir(folder, { recursive: true });
  const file = join(folder, `${seed.slice(0, 8)}-${number}.json`);
  await writeFile(file, writeInput(input));
  return file;
}
