import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { replaceFile } from '../atomic-file.ts';
import type { Permit } from './run.ts';

/** The daemon looks at its lists every 2 s, and a busy one a little later. */
const LISTED_AFTER_MS = 3_000;

/** Lists the good image in the daemon's bootstrap folder by its digest, which no other image has, and takes the list away again. */
export function permitByList(bootstrap: string): Permit {
  return async (digest) => {
    const path = join(bootstrap, `portcullis-canary-${process.pid}.list`);
    replaceFile(path, `${digest}  portcullis-canary  # for as long as "portcullis canary" runs; may be removed\n`);
    await delay(LISTED_AFTER_MS);
    return () => rm(path, { force: true });
  };
}
