import { plainText } from '../shim/plain-text.ts';

/** A command of `portcullis`: its room decides what it does, this file only knows where it lives. */
export interface Command {
  /** What a person reads after `--help`; the first line says what the command is for. */
  readonly help: string;
  /** Answers the exit code. */
  run(args: readonly string[]): Promise<number>;
}

/** Loaded when asked for: a short command must not pay for the worker's native code. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  shim: async () => (await import('../shim/cli/shim.ts')).shimCommand,
  worker: async () => (await import('../activities/cli/worker.ts')).workerCommand,
  verify: async () => (await import('../shim/cli/verify.ts')).verifyCommand,
  explain: async () => (await import('../shim/cli/explain.ts')).explainCommand,
  export: async () => (await import('../shim/cli/export.ts')).exportCommand,
  import: async () => (await import('../shim/cli/import.ts')).importCommand,
  canary: async () => (await import('../shim/cli/canary.ts')).canaryCommand,
  'bootstrap learn': async () => (await import('../shim/cli/bootstrap-learn.ts')).bootstrapLearnCommand,
  why: async () => (await import('../shim/cli/why.ts')).whyCommand,
  doctor: async () => (await import('../shim/cli/doctor.ts')).doctorCommand,
  'policy check': async () => (await import('../activities/cli/policy-check.ts')).policyCheckCommand,
  'conformance verify-bundle': async () => (await import('../activities/cli/conformance.ts')).conformanceCommand,
  'keys list': async () => (await import('../shim/cli/keys-list.ts')).keysListCommand,
  'keys init': async () => (await import('../activities/cli/keys-init.ts')).keysInitCommand,
};

const EXIT_CODES = `Exit codes: 0 allowed or done, 1 denied or found wanting, 2 wrong usage, 3 inconclusive: could not be found out.`;

async function overview(): Promise<string> {
  const lines = await Promise.all(
    Object.entries(COMMANDS).map(async ([name, load]) => `  ${name.padEnd(27)}${(await load()).help.split('\n')[0]}`),
  );
  return [
    'portcullis: decides which images a containerd node may run.',
    '',
    'Usage: portcullis COMMAND [OPTIONS]',
    '',
    ...lines,
    '',
    'portcullis COMMAND --help tells more about one.',
    EXIT_CODES,
  ].join('\n');
}

async function main(argv: readonly string[]): Promise<number> {
  const name = [argv.slice(0, 2).join(' '), argv[0] ?? ''].find((candidate) => Object.hasOwn(COMMANDS, candidate));
  const load = name === undefined ? undefined : COMMANDS[name];
  if (name === undefined || load === undefined) {
    const asked = argv.length === 0 || argv[0] === '--help' || argv[0] === '-h';
    if (asked) console.log(await overview());
    else console.error(`portcullis: there is no command ${JSON.stringify(argv[0])}; see "portcullis --help"`);
    return asked ? 0 : 2;
  }
  const command = await load();
  const args = argv.slice(name.split(' ').length);
  if (args.includes('--help') || args.includes('-h')) {
    console.log(`${command.help}\n\n${EXIT_CODES}`);
    return 0;
  }
  try {
    return await command.run(args);
  } catch (error) {
    const lines = (error instanceof Error ? error.message : String(error)).split('\n').map(plainText);
    console.error(`portcullis ${name}: ${lines.join('\n')}`);
    const usage = error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
    return usage ? 2 : 3;
  }
}

process.exitCode = await main(process.argv.slice(2));
