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
       infra/test STAGE PATTERN ... [--watch]

${Object.entries(STAGES)
  .map(([name, { what }]) => `  ${name.padEnd(8)}${what}`)
  .join('\n')}

Without a stage, all of them. A PATTERN is a part of a test file's path: "infra/test unit
own-host" runs what contains it; --watch runs it again when a file it imports changes.

Exit codes: 0 all passed, 1 a test failed or no file matches, 2 wrong usage. The real servers are obtained at first use and cached; see infra/tools/README.md.`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { help: { type: 'boolean', short: 'h' }, watch: { type: 'boolean', default: false } },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const stages = positionals.filter(isStage);
  const patterns = positionals.filter((name) => !isStage(name));
  const [only] = stages;
  if (only === undefined ? patterns.length > 0 || values.watch : patterns.length > 0 && stages.length > 1) {
    console.error(`infra/test: expected a stage before "${patterns[0] ?? '--watch'}"; see "infra/test --help"`);
    return 2;
  }
  if (only !== undefined && (patterns.length > 0 || values.watch)) return await runFiles(only, patterns, values.watch);
  const took: string[] = [];
  for (const stage of stages.length > 0 ? stages : (Object.keys(STAGES) as Stage[])) {
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
  return await runFiles(stage, []);
}

/** Runs the files of a stage whose path contains one of the patterns, or all of them without a pattern. */
async function runFiles(stage: Stage, patterns: readonly string[], watch = false): Promise<number> {
  const { files, atOnce } = STAGES[stage];
  const found = files.flatMap((glob) => globSync(glob, { cwd: root })).toSorted();
  const wanted = found.filter((file) => patterns.length === 0 || patterns.some((pattern) => file.includes(pattern)));
  if (wanted.length === 0) {
    console.error(`infra/test: no test file of ${stage} matches ${patterns.join(', ')}; write a part of its path`);
    return 1;
  }
  const options = ['--test', '--test-reporter=spec', `--test-concurrency=${atOnce}`, ...(watch ? ['--watch'] : [])];
  return await run(process.execPath, [...options, ...wanted]);
}

function run(command: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit' });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

process.exitCode = await main();
