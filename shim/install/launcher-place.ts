import { chmodSync, constants, copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { LAUNCHER } from '../doctor/launcher-findings.ts';
import { draftOf } from '../host/atomic-file.ts';
import { requireOwnFolder } from '../host/ownership.ts';

/** Whether the launcher of a release is the one that containerd runs. */
export function isLauncherOf(folder: string, binDir: string): boolean {
  const path = join(binDir, LAUNCHER);
  return existsSync(path) && readFileSync(path).equals(readFileSync(join(folder, LAUNCHER)));
}

/**
 * Puts it there by a rename. The draft is outside of the folder: containerd runs every file in it, and half a launcher refuses
 * every pull.
 */
export function putLauncher(folder: string, binDir: string): void {
  mkdirSync(binDir, { recursive: true, mode: 0o755 });
  requireOwnFolder(binDir);
  const draft = draftOf(join(dirname(binDir), `.${LAUNCHER}`));
  copyFileSync(join(folder, LAUNCHER), draft, constants.COPYFILE_EXCL);
  chmodSync(draft, 0o755);
  renameSync(draft, join(binDir, LAUNCHER));
}

/** From then on containerd pulls unasked, unless other verifiers are there. */
export function removeLauncher(binDir: string): void {
  rmSync(join(binDir, LAUNCHER), { force: true });
}
