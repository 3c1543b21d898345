import { readFileSync } from 'node:fs';

/** Clock ticks of Linux are hundredths of a second for every program (`USER_HZ`). */
const MS_PER_TICK = 10;

/**
 * Processor time that another process has used, user and system, in ms (proc(5) `/proc/pid/stat`, fields 14 and 15).
 * `undefined` when there is no such process.
 */
export function processorMs(pid: number | undefined): number | undefined {
  if (pid === undefined) return undefined;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the program's name in parentheses, with whatever is in it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
  } catch {
    return undefined;
  }
}
