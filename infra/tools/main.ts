import { parseArgs } from 'node:util';
import { obtain } from './obtain.ts';
import { TOOL_NAMES, type ToolName } from './pins.ts';

const HELP = `Obtains the third-party programs that the demo, the tests and the benchmarks run.

Usage: node infra/tools/main.ts [NAME ...]

Prints NAME=PATH for each, in the order asked for; progress goes to stderr. A program on PATH is used when its version
suits; others are kept in \${XDG_CACHE_HOME:-~/.cache}/portcullis. Without a name, all are obtained:

  ${TOOL_NAMES.join('\n  ')}
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { help: { type: 'boolean', short: 'h' } },
});
if (values.help === true) {
  process.stdout.write(HELP);
} else {
  try {
    const names = positionals.length === 0 ? TOOL_NAMES : positionals.map(toToolName);
    const paths = await obtain(names);
    process.stdout.write(names.map((name) => `${name}=${paths[name]}\n`).join(''));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}

function toToolName(text: string): ToolName {
  const name = TOOL_NAMES.find((candidate) => candidate === text);
  if (name === undefined) throw new Error(`expected one of ${TOOL_NAMES.join(', ')}, found ${text}`);
  return name;
}
