import { mkdir, rename, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';
import { buildLauncher } from '../shim/launcher/build.ts';
import { makeRelease } from './release.ts';

const dist = fileURLToPath(new URL('../dist/', import.meta.url));

/** Makes what workers and tests don't run from source: the workflow bundle, and the launcher that containerd execs. */
export async function build(): Promise<{ readonly workflowBundle: string; readonly launcher: string }> {
  await mkdir(dist, { recursive: true });
  const files = { workflowBundle: `${dist}workflows.js`, launcher: `${dist}portcullis-verifier` };
  await Promise.all([buildWorkflows(files.workflowBundle), buildLauncher(files.launcher)]);
  return files;
}

async function buildWorkflows(file: string): Promise<void> {
  const { code } = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)),
    logger: { log() {}, trace() {}, debug() {}, info() {}, warn: console.warn, error: console.error },
  });
  await writeFile(`${file}.new`, code);
  await rename(`${file}.new`, file);
}

if (import.meta.main) {
  const node = `${dist}node`;
  console.log(Object.values(await build()).join('\n'));
  console.log(`${node} (${await makeRelease(node)})`);
}
