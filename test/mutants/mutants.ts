import { spawnSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { securityCriticalFiles, testsOf } from './files.ts';
import { isEquivalent, readEquivalents, readReport } from './report.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const HERE = fileURLToPath(new URL('.', import.meta.url));
/** Where Stryker is installed, outside of what the tests of the tree look at. */
const STRYKER = join(ROOT, 'dist/mutants/stryker');
/** Share of the mutants that are not equivalent that has to fall. */
const AIM = 0.97;
/** Mutants of these kinds change words alone. */
const EXCLUDED = ['StringLiteral'];

const HELP = `Changes the code in small ways, one at a time, and looks whether a unit test notices.

Usage: npm run mutants -- [--most N] [--seed TEXT] [--tests FILE ...] [FILE ...]

  FILE          what to change (default: all security-critical files, see test/mutants/files.ts)
  --most N      try about N mutants, chosen by the seed (default: all of them)
  --seed TEXT   the choice follows from it; without one, a new one, which is printed
  --tests FILE  the tests to run (default: those of the same rooms); may be repeated

Mutants that no input can tell from the original are in test/mutants/equivalents.json, each with its reason.
Exit codes: 0 at least ${AIM * 100} % of the others fall, 1 fewer do, 2 wrong usage.`;

interface Options {
  readonly files: readonly string[];
  readonly tests: readonly string[];
  readonly most: number;
  readonly seed: string;
}

/** The part of `@stryker-mutator/instrumenter` that lists mutants. */
interface InstrumenterModule {
  readonly Instrumenter: new (
    logger: Readonly<Record<string, () => unknown>>,
  ) => {
    instrument(
      files: readonly { readonly name: string; readonly content: string; readonly mutate: true }[],
      options: Readonly<Record<string, unknown>>,
    ): Promise<{ readonly mutants: readonly ListedMutant[] }>;
  };
}

interface ListedMutant {
  readonly fileName: string;
  /** Lines and columns begin with 0. */
  readonly location: {
    readonly start: { readonly line: number; readonly column: number };
    readonly end: { readonly line: number; readonly column: number };
  };
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options === 'help') {
    console.log(HELP);
    return 0;
  }
  if (options === undefined) {
    console.error('mutants: expected --most N, --seed TEXT, --tests FILE and files; see "npm run mutants -- --help"');
    return 2;
  }
  installStryker();
  const mutate = options.most === Number.POSITIVE_INFINITY ? options.files : await sample(options);
  if (mutate.length === 0) {
    console.error('mutants: there is nothing to change in these files');
    return 2;
  }
  console.log(`seed ${options.seed}: ${options.files.length} files, ${options.tests.length} test files`);
  return runStryker(mutate, options.tests) ? judge() : 1;
}

function readOptions(): Options | 'help' | undefined {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        most: { type: 'string' },
        seed: { type: 'string', default: randomUUID() },
        tests: { type: 'string', multiple: true, default: [] },
      },
    });
    if (values.help) return 'help';
    const most = values.most === undefined ? Number.POSITIVE_INFINITY : Number(values.most);
    const files = positionals.length > 0 ? positionals : securityCriticalFiles(ROOT);
    const tests = values.tests.length > 0 ? values.tests : testsOf(files, ROOT);
    const absent = [...files, ...tests].some((file) => !existsSync(join(ROOT, file)));
    return most > 0 && !absent ? { files, tests, most, seed: values.seed } : undefined;
  } catch {
    // What parseArgs does not know.
    return undefined;
  }
}

/** Stryker is not among the packages of the checkout: only this command needs it, and it brings some 170. */
function installStryker(): void {
  if (existsSync(join(STRYKER, 'node_modules/@stryker-mutator/core'))) return;
  console.error('installing Stryker (once) ...');
  mkdirSync(STRYKER, { recursive: true });
  for (const file of ['package.json', 'package-lock.json']) copyFileSync(join(HERE, file), join(STRYKER, file));
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status } = spawnSync('npm', ['ci', ...options], { cwd: STRYKER, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error('npm could not install Stryker; run "npm ci" in dist/mutants/stryker to see why');
}

/** The positions of some mutants. The same seed chooses the same ones in the same code. */
async function sample({ files, most, seed }: Options): Promise<readonly string[]> {
  const path = join(STRYKER, 'node_modules/@stryker-mutator/instrumenter/dist/src/index.js');
  // Its own types can't be read before it is installed.
  const { Instrumenter } = (await import(pathToFileURL(path).href)) as InstrumenterModule;
  const silent = new Proxy({}, { get: () => () => false });
  const contents = files.map((name) => ({
    name,
    content: readFileSync(join(ROOT, name), 'utf8'),
    mutate: true as const,
  }));
  const listed = await new Instrumenter(silent).instrument(contents, {
    plugins: null,
    ignorers: [],
    excludedMutations: EXCLUDED,
  });
  const positionOf = ({ fileName, location: { start, end } }: ListedMutant) =>
    `${fileName}:${start.line + 1}:${start.column}-${end.line + 1}:${end.column}`;
  const order = (position: string) => createHash('sha256').update(seed).update(position).digest('hex');
  const positions = [...new Set(listed.mutants.map(positionOf))].toSorted((a, b) => (order(a) < order(b) ? -1 : 1));
  // Stryker tries all that lies within a position.
  const within = (position: string) => {
    const outer = listed.mutants.find((mutant) => positionOf(mutant) === position);
    return listed.mutants.filter((mutant) => outer !== undefined && isWithin(mutant, outer));
  };
  const chosen = new Set<ListedMutant>();
  return positions.filter((position) => {
    if (chosen.size >= most) return false;
    for (const mutant of within(position)) chosen.add(mutant);
    return true;
  });
}

function isWithin(inner: ListedMutant, outer: ListedMutant): boolean {
  const order = (a: ListedMutant['location']['start'], b: typeof a) => a.line - b.line || a.column - b.column;
  return (
    inner.fileName === outer.fileName &&
    order(inner.location.start, outer.location.start) >= 0 &&
    order(inner.location.end, outer.location.end) <= 0
  );
}

/** False when Stryker could not do its work: a test fails before anything is changed, say. */
function runStryker(mutate: readonly string[], testFiles: readonly string[]): boolean {
  mkdirSync(join(ROOT, 'dist/mutants'), { recursive: true });
  const configuration = {
    testRunner: 'tap',
    tap: { testFiles, nodeArgs: ['--test-reporter=tap', '--require', '{{hookFile}}', '{{testFile}}'] },
    plugins: [join(STRYKER, 'node_modules/@stryker-mutator/tap-runner/dist/src/index.js')],
    mutate,
    mutator: { excludedMutations: EXCLUDED },
    coverageAnalysis: 'perTest',
    reporters: ['progress-append-only', 'json'],
    jsonReporter: { fileName: REPORT },
    tempDirName: 'dist/mutants/tree',
    ignorePatterns: ['dist', 'test/e2e', 'test/replay'],
    // TypeScript 7 has no interface by which Stryker could read it.
    tsconfigFile: 'none.json',
    concurrency: 1,
    allowConsoleColors: false,
  };
  const path = join(ROOT, 'dist/mutants/stryker.json');
  writeFileSync(path, JSON.stringify(configuration, null, 2));
  const program = join(STRYKER, 'node_modules/@stryker-mutator/core/bin/stryker.js');
  return spawnSync(process.execPath, [program, 'run', path], { cwd: ROOT, stdio: 'inherit' }).status === 0;
}

const REPORT = 'dist/mutants/report.json';

function judge(): number {
  const equivalents = readEquivalents();
  const counted = readReport(join(ROOT, REPORT)).filter((mutant) => !isEquivalent(mutant, equivalents));
  const survivors = counted.filter(({ survived }) => survived);
  for (const { file, line, original, replacement } of survivors) {
    console.log(`survived: ${file}:${line}: ${original} -> ${replacement}`);
  }
  const share = counted.length === 0 ? 1 : 1 - survivors.length / counted.length;
  console.log(
    `${counted.length - survivors.length} of ${counted.length} mutants fall (${(share * 100).toFixed(1)} %, aim ${AIM * 100} %)`,
  );
  return share >= AIM ? 0 : 1;
}

process.exitCode = await main();
