import { readFile } from 'node:fs/promises';
import type { House } from '../../infra/stack/house.ts';

/** In megabytes (10^6 bytes). */
export interface ResidentMemory {
  readonly shim: number;
  readonly worker: number;
}

export async function readResidentMemory(house: House): Promise<ResidentMemory> {
  return { shim: await residentOf(house.shim.pid), worker: await residentOf(house.worker.pid) };
}

/** VmRSS of proc_pid_status(5), which counts in units of 1024 bytes. Throws when the process is gone. */
/** Of one process, in megabytes. */
export async function residentOf(pid: number): Promise<number> {
  const file = `/proc/${pid}/status`;
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(file, 'utf8'));
  if (found === null) throw new Error(`${file}: expected a line VmRSS, found none`);
  return (Number(found[1]) * 1024) / 1e6;
}
