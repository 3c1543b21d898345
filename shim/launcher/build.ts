import { execFile } from 'node:child_process';
import { rename, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const source = fileURLToPath(new URL('portcullis-verifier.c', import.meta.url));

const FLAGS = [
  ...['-std=c11', '-O2', '-Wall', '-Wextra', '-Werror', '-static'],
  ...['-fstack-protector-strong', '-D_FORTIFY_SOURCE=2', '-Wl,-z,noexecstack', '-Wl,-z,relro'],
];

/**
 * Compiles the launcher with the machine's `cc` and puts it in place by a rename, so that containerd never finds half
 * of one. Throws one sentence that says what to install when the compiler or the static C library is missing.
 */
export async function buildLauncher(outFile: string): Promise<void> {
  const unfinished = `${outFile}.${process.pid}.new`;
  try {
    await promisify(execFile)('cc', [...FLAGS, '-o', unfinished, source]);
    await rename(unfinished, outFile);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw new Error(explain(error), { cause: error });
  }
}

function explain(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const missing = /spawn cc ENOENT|cannot find -lc|\.h: No such file|cannot find crt/.exec(text);
  if (missing === null) return `the launcher cannot be built: ${text}`;
  return `the launcher needs a C compiler and the static C library (${missing[0]}); install them: apt-get install gcc libc6-dev`;
}
