import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from '../../infra/build.ts';
import { type House, type HouseOptions, startHouse } from '../../infra/stack/house.ts';
import { type LauncherRun, runLauncher } from './launcher.ts';
import { verifierInput } from './launcher-request.ts';

/** The launcher's deadline, in ms, and what the issue of a refusal may take beyond it. */
const DEADLINE_MS = 9_200;
const GRACE_MS = 500;

export interface TestHouse extends House {
  /** Asks as containerd does: by the real launcher, for a name and the digest it was resolved to. */
  pull(name: string, digest: string): Promise<LauncherRun>;
}

/** A house in a folder of its own; `stop` removes it too. */
export async function startTestHouse(options: Omit<HouseOptions, 'dir'> = {}): Promise<TestHouse> {
  await build();
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-house-'));
  await chmod(dir, 0o700);
  const house = await startHouse({ dir, ...options });
  return {
    ...house,
    pull: (name, digest) => pullThrough(house.launcherSocket, name, digest),
    async stop() {
      await house.stop();
      await rm(dir, { recursive: true });
    },
  };
}

/** Asks the shim at a socket by the real launcher. */
export function pullThrough(socket: string, name: string, digest: string): Promise<LauncherRun> {
  const { args, stdin } = verifierInput(name, digest);
  return runLauncher({ socket, arguments: args, stdin: Buffer.from(stdin) });
}

/** Refused, on time, with one line that begins with this code. */
export function assertRefused(run: LauncherRun, code: string): void {
  assert.equal(run.exitCode, 1, run.stdout);
  assert.match(run.stdout, new RegExp(`^${code}: [^\\n]+\\n$`));
  assert.ok(run.milliseconds < DEADLINE_MS + GRACE_MS, `took ${run.milliseconds} ms`);
}

export function assertAllowed(run: LauncherRun): void {
  assert.equal(run.exitCode, 0, run.stdout);
  assert.equal(run.stdout, '');
}
