import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * The stages of a test run. `unit` holds what is about one room, `e2e` what is about the whole path.
 */
const STAGES = {
  check: { files: [], atOnce: 0, what: 'types, lint, format, architecture' },
  unit: {
    files: ['test/{workflows,activities,shim,infra,bench,fuzz,networks}/**/*.test.ts'],
    atOnce: 2,
    what: 'pure functions, parsers, the launcher, the registry reader; a few against real servers',
  },
  replay: { files: ['test/replay/**/*.test.ts'], atOnce: 1, what: 'stored histories against the workflows of today' },
  e2e: {
    files: ['test/e2e/**/*.test.ts'],
    // most of their time they wait for a deadline
    atOnce: 2,
    what: 'real containerd, Temporal, registries and cosign',
  },
} as const;

type Stage = keyof typeof STAGES;

const HELP = `Runs the tests and prints what it ran.

Usage: infra/test [STAGE ...]

${Object.entries(STAGES)
  .map(([name, { what }]) => `  ${name.padEnd(8)}${what}`)
  .join('\n')}

Without a stage, all of them. The real servers are obtained at first use and cached; see infra/tools/README.md.`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const unknown = positionals.find((name) => !isStage(name));
  if (unknown !== undefined) {
    console.error(`infra/test: there is no stage ${unknown}; see "infra/test --help"`);
    return 2;
  }
  const stages = positionals.length > 0 ? positionals.filter(isStage) : (Object.keys(STAGES) as Stage[]);
  const took: string[] = [];
  for (const stage of stages) {
    const started = performance.now();
    console.log(`\n== ${stage}: ${STAGES[stage].what}`);
    const code = await runStage(stage);
    took.push(`${stage} ${((performance.now() - started) / 1_000).toFixed(0)} s`);
    if (code !== 0) {
      console.error(`\n${stage} failed (${took.join(', ')})`);
      return code;
    }
  }
  console.log(`\nall passed: ${took.join(', ')}`);
  return 0;
}

function isStage(name: string): name is Stage {
  return Object.hasOwn(STAGES, name);
}

async function runStage(stage: Stage): Promise<number> {
  if (stage === 'check') return await run('npm', ['run', '--silent', 'check']);
  const { files, atOnce } = STAGES[stage];
  const found = files.flatMap((pattern) => globSync(pattern, { cwd: root })).toSorted();
  if (found.length === 0) {
    console.error(`no test files for ${stage}`);
    return 1;
  }
  return await run(process.execPath, ['--test', '--test-reporter=spec', `--test-concurrency=${atOnce}`, ...found]);
}

function run(command: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit' });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

process.exitCode = await main();
