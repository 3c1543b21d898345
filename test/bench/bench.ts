import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compareWithAims } from './aims.ts';
import { measureCold } from './cold.ts';
import { measureKeyless } from './keyless.ts';
import { setUpKeyless } from './keyless-stage.ts';
import { measureLoad } from './load.ts';
import { measureManagedKey } from './managed-key.ts';
import { setUpManagedKey } from './managed-key-stage.ts';
import { renderReport } from './report.ts';
import { readResidentMemory } from './resident-memory.ts';
import { describeMachine, type Results } from './results.ts';
import { type Programs, prepare, type Stage, setUp } from './stage.ts';
import { measureWarm } from './warm.ts';
import { measureWorkflowCost } from './workflow-cost.ts';

const HELP = `Measures portcullis on real parts: registry, Temporal, worker, shim, launcher; beside cosign on the same images.

Usage: npm run bench -- [OPTIONS]

  --quick              few rounds: shows that the benchmark works, measures little
  --output text|json   a table, or everything as one JSON object  (default text)

The result goes to standard output, progress to standard error. Exit codes: 0 measured, whether or not the aims are met;
1 could not measure; 2 wrong usage.`;

interface Rounds {
  readonly warm: number;
  readonly cold: number;
  readonly keyless: number;
  readonly managedKey: number;
  readonly cost: number;
  readonly load: number;
}

const FULL: Rounds = { warm: 500, cold: 30, keyless: 20, managedKey: 30, cost: 100, load: 1_000 };
const QUICK: Rounds = { warm: 30, cold: 4, keyless: 6, managedKey: 6, cost: 25, load: 48 };

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

const began = performance.now();
const progress = (line: string) =>
  console.error(`${((performance.now() - began) / 1_000).toFixed(0).padStart(4)} s  ${line}`);

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) {
    console.error('bench: expected --quick, --output text or --output json; see "npm run bench -- --help"');
    return 2;
  }
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  try {
    progress('building the launcher and the workflow bundle, obtaining the real parts');
    const results = await measureInFolder(await prepare(), options.quick ? QUICK : FULL);
    const aims = compareWithAims(results);
    console.log(options.json ? JSON.stringify({ ...results, aims }, undefined, 2) : renderReport(results, aims));
    return 0;
  } catch (error) {
    console.error(`bench: could not measure: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}

function readOptions(): { readonly help: boolean; readonly quick: boolean; readonly json: boolean } | undefined {
  try {
    const { values } = parseArgs({
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        quick: { type: 'boolean', default: false },
        output: { type: 'string', default: 'text' },
      },
    });
    if (!['text', 'json'].includes(values.output)) return undefined;
    return { help: values.help, quick: values.quick, json: values.output === 'json' };
  } catch {
    return undefined;
  }
}

async function measureInFolder(programs: Programs, rounds: Rounds): Promise<Results> {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-bench-'));
  const interruption = awaitInterruption();
  const untilStopped = async <T>(servers: { stop(): Promise<void> }, measuring: Promise<T>): Promise<T> => {
    try {
      return await Promise.race([measuring, interruption.happened]);
    } finally {
      progress('stopping');
      await servers.stop();
    }
  };
  try {
    await chmod(dir, 0o700);
    progress('starting registry, Temporal, worker and shim');
    const stage = await setUp(dir, programs);
    const results = await untilStopped(stage.house, measure(stage, rounds));
    progress('starting a Sigstore, and a house whose registry and log stand some way off');
    const keyless = await setUpKeyless(join(dir, 'keyless'), programs);
    progress(`keyless: ${rounds.keyless} images at each distance, signed and then verified by launcher and cosign`);
    const byIdentity = await untilStopped(keyless, measureKeyless(keyless, rounds.keyless));
    progress('starting a KMS, and a house whose policy names a key in it');
    const managed = await setUpManagedKey(join(dir, 'managed'), programs);
    progress(`key in a KMS: ${rounds.managedKey} images, signed and then verified by launcher and cosign`);
    const managedKey = await untilStopped(managed, measureManagedKey(managed, rounds.managedKey));
    return { ...results, keyless: byIdentity, managedKey };
  } finally {
    await rm(dir, { recursive: true, force: true });
    interruption.forget();
  }
}

/** Rejects when this process is told to end, so that what was started is stopped first. */
function awaitInterruption(): { readonly happened: Promise<never>; forget(): void } {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => {}); // may come before there is anything to interrupt
  const onSignal = (signal: NodeJS.Signals) => reject(new Error(`interrupted by ${signal}`));
  // `on`, not `once`: the servers are killed at once by whoever finds no other listener
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    happened: promise,
    forget() {
      for (const signal of SIGNALS) process.off(signal, onSignal);
    },
  };
}

async function measure(stage: Stage, rounds: Rounds): Promise<Omit<Results, 'keyless' | 'managedKey'>> {
  const machine = describeMachine();
  const idle = await readResidentMemory(stage.house);
  progress(`cold: ${rounds.cold} images, signed and then verified by launcher and cosign`);
  const cold = await measureCold(stage, rounds.cold);
  progress(`warm: ${rounds.warm} rounds, alone and then at once`);
  const warm = await measureWarm(stage, rounds.warm);
  progress(`history and store: ${rounds.cost} verifications`);
  const workflowCost = await measureWorkflowCost(stage, rounds.cost);
  progress(`load: ${rounds.load} verifications`);
  const load = await measureLoad(stage, rounds.load);
  return { machine, idle, cold, warm, workflowCost, load };
}

process.exitCode = await main();
