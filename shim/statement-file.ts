import type { Envelope } from '../workflows/verdict.ts';
import { replaceFile } from './atomic-file.ts';
import type { Log } from './log.ts';
import { readState } from './memory/read-state.ts';
import { parseEnvelope } from './verdict-keys.ts';

/** Its name in the state folder. */
export const STATEMENT_FILE = 'policy-head.json';

/** 500 revoked digests and the states of 100 keys in base64 are less. */
const MAX_BYTES = 512 * 1024;

/** How often the file is written at most, in ms: a statement comes every few seconds, and most say nothing new. */
const WRITE_EVERY_MS = 30_000;

/**
 * The newest policy statement that a node has seen, on its disk: after a restart without a backend it says which policy
 * and which revocations were the last ones, and an older statement than this one is not believed any more. What is read is
 * not believed either: whoever uses it checks its signature.
 */
export interface StatementFile {
  read(): Envelope | undefined;
  /** Writes it, unless one that says the same was written a moment ago. Never throws. */
  write(statement: Envelope, says: string): void;
}

export function openStatementFile(path: string, log?: Pick<Log, 'warn'>): StatementFile {
  let said: string | undefined;
  let writtenAt = Number.NEGATIVE_INFINITY;
  let failed = false;
  return {
    read() {
      const read = readState(path, MAX_BYTES);
      if (read.kind === 'none') return undefined;
      const envelope = read.kind === 'content' ? parseEnvelope(parseJson(read.bytes.toString())) : undefined;
      const problem =
        read.kind === 'content' ? `expected a signed statement in ${path}, found something else` : read.problem;
      if (envelope === undefined) log?.warn('the policy statement that was kept is not used', { problem });
      return envelope;
    },
    write(statement, says) {
      if (says === said && performance.now() - writtenAt < WRITE_EVERY_MS) return;
      try {
        replaceFile(path, JSON.stringify(statement));
        said = says;
        writtenAt = performance.now();
        failed = false;
      } catch (error) {
        if (!failed) log?.warn('the policy statement could not be kept', { error: String(error) });
        failed = true;
      }
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
