import { format } from 'node:util';
import { plainJson, plainLines } from '../workflows/format/plain-text.ts';

/** A command of `portcullis`: its room decides what it does, the tables here only know where it lives. */
export interface Command {
  /** What a person reads after `--help`; the first line says what the command is for. */
  readonly help: string;
  /** Answers the exit code. */
  run(args: readonly string[]): Promise<number>;
}

/** Loaded when asked for: a short command must not pay for what others need. */
export type Commands = Readonly<Record<string, () => Promise<Command>>>;

const EXIT_CODES = `Exit codes: 0 allowed or done, 1 denied or found wanting, 2 wrong usage, 3 inconclusive: could not be found out.`;

/**
 * Makes everything plain that this process prints by `console`, and what Node prints by itself of warnings and of errors that end the process:
 * a file name, a message of a library or a policy may come from anywhere.
 */
export function guardOutput(): void {
  for (const method of ['log', 'info', 'warn', 'error', 'debug'] as const) {
    const print = console[method].bind(console);
    console[method] = (...parts: readonly unknown[]) => print(plainLines(format(...parts)));
  }
  process.prependListener('warning', makePlain);
  process.on('uncaughtExceptionMonitor', makePlain);
}

/** Errors that caused errors that are made plain with them. */
const MAX_CAUSES = 8;

function makePlain(error: unknown, _origin?: unknown, depth = 0): void {
  if (!(error instanceof Error) || depth > MAX_CAUSES) return;
  const { message, stack, cause } = error;
  for (const [key, text] of Object.entries({ message, stack })) {
    if (text !== undefined && !Object.isFrozen(error)) Reflect.set(error, key, plainLines(text));
  }
  makePlain(cause, undefined, depth + 1);
}

/** Runs the command that the arguments name, and answers the exit code. */
export async function runCommand(commands: Commands, version: string, argv: readonly string[]): Promise<number> {
  const name = [argv.slice(0, 2).join(' '), argv[0] ?? ''].find((candidate) => Object.hasOwn(commands, candidate));
  const load = name === undefined ? undefined : commands[name];
  if (name === undefined || load === undefined) return await runNone(commands, version, argv);
  const command = await load();
  const args = argv.slice(name.split(' ').length);
  if (args.includes('--help') || args.includes('-h')) {
    console.log(`${command.help}\n\n${EXIT_CODES}`);
    return 0;
  }
  try {
    return await command.run(args);
  } catch (error) {
    console.error(`portcullis ${name}: ${plainLines(error instanceof Error ? error.message : String(error))}`);
    const usage = error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
    return usage ? 2 : 3;
  }
}

async function runNone(commands: Commands, version: string, [first]: readonly string[]): Promise<number> {
  if (first === '--version') {
    console.log(`portcullis ${version}`);
    return 0;
  }
  if (first === undefined || first === '--help' || first === '-h') {
    console.log(await overview(commands));
    return 0;
  }
  console.error(`portcullis: there is no command ${plainJson(first)}; see "portcullis --help"`);
  return 2;
}

async function overview(commands: Commands): Promise<string> {
  const lines = await Promise.all(
    Object.entries(commands).map(async ([name, load]) => `  ${name.padEnd(27)}${(await load()).help.split('\n')[0]}`),
  );
  return [
    'portcullis: decides which images a containerd node may run.',
    '',
    'Usage: portcullis COMMAND [OPTIONS]',
    '',
    ...lines,
    '',
    'portcullis COMMAND --help tells more about one; portcullis --version which this is.',
    EXIT_CODES,
  ].join('\n');
}
