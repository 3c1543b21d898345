import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { obtain } from '../../../infra/tools/obtain.ts';

const execute = promisify(execFile);

/** What each line of cosign writes without any service but registry and KMS. */
const OPTIONS = {
  cosign: ['--signing-config=signing-config.json'],
  cosign2: ['--tlog-upload=false'],
} as const;

export type CosignLine = keyof typeof OPTIONS;

export const COSIGN_LINES: readonly CosignLine[] = ['cosign', 'cosign2'];

/** Real cosign of both lines, which signs by keys in a KMS. */
export interface ManagedCosign {
  /** Signs `registry/repository@sha256:...` by the key, as cosign names it. Rejects with what cosign said. */
  sign(line: CosignLine, image: string, key: string): Promise<void>;
}

/** `env` is what it needs to reach the KMS; `dir` holds its configuration. */
export async function useManagedCosign(dir: string, env: Readonly<Record<string, string>>): Promise<ManagedCosign> {
  const programs = await obtain(COSIGN_LINES);
  const run = (line: CosignLine, args: readonly string[]) =>
    execute(programs[line], args, { cwd: dir, env: { ...process.env, ...env } });
  await run('cosign', ['signing-config', 'create', '--out', 'signing-config.json']);
  return {
    async sign(line, image, key) {
      await run(line, ['sign', '--yes', '--allow-http-registry', ...OPTIONS[line], `--key=${key}`, image]);
    },
  };
}
