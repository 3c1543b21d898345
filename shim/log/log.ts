import { plainJson } from '../../workflows/format/plain-text.ts';

/** What a log line says beside its message. Values hold no secrets and no evidence. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Structured lines: JSON, with time, level and message first. */
export interface Log {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  /** The gate may be open. */
  error(message: string, fields?: LogFields): void;
}

/** Writes each line, its line feed included, to `write`: stderr in the daemon. */
export function createLog(write: (line: string) => void): Log {
  const line =
    (level: string) =>
    (message: string, fields: LogFields = {}) =>
      write(`${plainJson({ time: new Date().toISOString(), level, message, ...fields })}\n`);
  return { info: line('info'), warn: line('warn'), error: line('error') };
}
