import { plainJson } from '../../workflows/format/plain-text.ts';
import { lookEvery } from '../host/look-every.ts';
import type { Log } from '../log/log.ts';
import { readVerdictKeyFiles, requireKeys, type VerdictKeyFiles } from './key-files.ts';
import { endOfWindow } from './key-window.ts';
import type { VerdictKeys } from './verdict-keys.ts';

/** The verdict keys of a node as its files say now. */
export interface VerdictKeyWatch {
  /** Empty when the files hold none any more: then nothing is believed. */
  keys(): VerdictKeys;
  /** Reads the files at once, and says so. */
  reload(): Promise<void>;
  stop(): void;
}

/** How often the files are looked at, in ms. A change counts when it is still there at the next look. */
const LOOK_MS = 2_000;

/**
 * Reads verdict keys and keeps them as their files are: what is half written is given until the next look to become
 * whole. When the path can't be read at all the keys stay as they were. Throws when there is no key to begin with.
 */
export async function watchVerdictKeys(path: string, log: Log): Promise<VerdictKeyWatch> {
  let current = requireKeys(await readVerdictKeyFiles(path), path);
  let seen = fingerprint(current);
  let obstacle: string | undefined;
  tell(current, log);

  async function look(atOnce: boolean): Promise<void> {
    try {
      const found = await readVerdictKeyFiles(path);
      obstacle = undefined;
      const print = fingerprint(found);
      const isSettled = print === seen;
      seen = print;
      if (!atOnce && (!isSettled || print === fingerprint(current))) return;
      current = found;
      tell(found, log);
      log.info('reloaded', { verdictKeys: found.keys.size });
    } catch (error) {
      const found = String(error);
      if (atOnce || found !== obstacle) log.warn('not reloaded, the verdict keys stay as they were', { error: found });
      obstacle = found;
    }
  }

  const looks = lookEvery(LOOK_MS, look);
  return { keys: () => current.keys, reload: looks.now, stop: looks.stop };
}

/** Two readings with the same print say the same. */
function fingerprint({ keys, refused }: VerdictKeyFiles): string {
  const known = [...keys].map(([keyId, { file, window }]) => [
    keyId,
    file,
    String(window.notBefore),
    String(window.notAfter),
  ]);
  return plainJson([known, refused]);
}

function tell({ keys, refused }: VerdictKeyFiles, log: Log): void {
  for (const [key, { file, window }] of keys) {
    log.info('verdict key', {
      ...{ key, file },
      notBefore: endOfWindow(window.notBefore),
      notAfter: endOfWindow(window.notAfter),
    });
  }
  for (const { file, problem } of refused) log.warn('verdict key refused', { file, problem });
  if (keys.size === 0) log.warn('no verdict key is left: every pull is refused until there is one');
}
