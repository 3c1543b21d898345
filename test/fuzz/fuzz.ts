import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { attack } from './campaign.ts';
import { keep } from './keep.ts';
import type { Target } from './target.ts';
import { TARGETS } from './targets.ts';
import { startWatchdog } from './watchdog.ts';

const HELP = `Gives every reader of bytes from outside inputs that were made from good ones, and looks whether it keeps its contract.

Usage: npm run fuzz -- [--seconds N] [--seed TEXT] [TARGET ...]

  --seconds N   for each target (default 60)
  --seed TEXT   the inputs follow from it; without one, a new one, which is printed

Targets: ${TARGETS.map(({ name }) => name).join(', ')}; all of them where none is named.

An input that breaks a contract is kept in test/fuzz/regressions/TARGET/, where the tests replay it.
Exit codes: 0 nothing was found, 1 something was, 2 wrong usage, 137 an input hung or made the process grow, which ends it.`;

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) {
    console.error('fuzz: expected --seconds N, --seed TEXT and names of targets; see "npm run fuzz -- --help"');
    return 2;
  }
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  console.log(`seed ${options.seed}`);
  let found = 0;
  for (const target of options.targets) found += await run(target, options.seed, options.seconds);
  return found === 0 ? 0 : 1;
}

function readOptions() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        seconds: { type: 'string', default: '60' },
        seed: { type: 'string', default: randomUUID() },
      },
    });
    const seconds = Number(values.seconds);
    const named = positionals.map((name) => TARGETS.find((target) => target.name === name));
    const targets = named.filter((target) => target !== undefined);
    if (!(seconds > 0 && seconds <= 86_400) || targets.length < named.length) return undefined;
    return { help: values.help, seconds, seed: values.seed, targets: targets.length > 0 ? targets : TARGETS };
  } catch {
    return undefined;
  }
}

async function run(target: Target, seed: string, seconds: number): Promise<number> {
  const watchdog = startWatchdog(target.name, seed);
  const until = Date.now() + seconds * 1_000;
  const campaign = await attack(target, {
    seed,
    goesOn(number) {
      watchdog.begin(number);
      return Date.now() < until;
    },
  });
  await watchdog.stop();
  const { inputs, accepted, slowestMs, finds } = campaign;
  const memory = Math.round(process.memoryUsage.rss() / 1e6);
  console.log(
    `${target.name}: ${inputs} inputs, ${accepted} accepted, slowest ${slowestMs.toFixed(1)} ms, ${memory} MB, ${finds.length} finds`,
  );
  for (const find of finds) console.log(`  ${await keep(target.name, seed, find)}: ${find.problem}`);
  return finds.length;
}

process.exitCode = await main();
