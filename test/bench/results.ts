import { cpus, release, totalmem } from 'node:os';
import type { Cold } from './cold.ts';
import type { KeylessRound } from './keyless.ts';
import type { Load } from './load.ts';
import type { ManagedKey } from './managed-key.ts';
import type { ResidentMemory } from './resident-memory.ts';
import type { Warm } from './warm.ts';
import type { WorkflowCost } from './workflow-cost.ts';

/** Where and when numbers were taken; without it they mean nothing. */
export interface Machine {
  readonly date: string;
  readonly processors: string;
  readonly memory: number;
  readonly kernel: string;
  readonly node: string;
}

export interface Results {
  readonly machine: Machine;
  /** Before the first verification. */
  readonly idle: ResidentMemory;
  readonly cold: Cold;
  /** One for each distance. */
  readonly keyless: readonly KeylessRound[];
  readonly managedKey: ManagedKey;
  readonly warm: Warm;
  readonly workflowCost: WorkflowCost;
  readonly load: Load;
}

/** Memory in megabytes. */
export function describeMachine(): Machine {
  const all = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    processors: `${all.length} x ${all[0]?.model.trim() ?? 'unknown'}`,
    memory: Math.round(totalmem() / 1e6),
    kernel: release(),
    node: process.version,
  };
}
