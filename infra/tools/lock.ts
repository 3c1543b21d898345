import { randomUUID } from 'node:crypto';
import { open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

const HEARTBEAT_MS = 1_000;
/** A holder that has not touched its lock for so long is gone: it was killed, or the machine was switched off. */
const ABANDONED_MS = 15_000;
const POLL_MS = 100;

/**
 * Runs `work` while no other process that uses the same lock file does, and waits as long as the other is alive
 * (`onWait` is called once before that). The
 * lock is a file that its holder touches, so it works between containers that share a folder and have different
 * process ids.
 */
export async function withLock<T>(file: string, onWait: () => void, work: () => Promise<T>): Promise<T> {
  const token = randomUUID();
  for (let tries = 0; !(await take(file, token)); tries++) {
    if (tries === 0) onWait();
    await delay(POLL_MS);
  }
  const heartbeat = setInterval(() => {
    const now = new Date();
    // A lock that was taken away while this process was stopped is not ours to keep alive.
    utimes(file, now, now).catch(() => {});
  }, HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    if ((await readFile(file, 'utf8').catch(() => '')) === token) await rm(file, { force: true });
  }
}

async function take(file: string, token: string): Promise<boolean> {
  try {
    const handle = await open(file, 'wx');
    await handle.writeFile(token);
    await handle.close();
    return true;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  const touched = await stat(file).catch(() => undefined);
  if (touched !== undefined && Date.now() - touched.mtimeMs > ABANDONED_MS) {
    // Renamed first: of two processes that both find it abandoned, only one removes it.
    await rename(file, `${file}.${token}`).catch(() => {});
    await rm(`${file}.${token}`, { force: true });
  }
  return false;
}
