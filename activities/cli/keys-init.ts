import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createVerdictKey } from '../verdict-key.ts';

const HELP = `Makes the key pair of the verdicts: workers sign with it, nodes believe it.

Usage: portcullis keys init DIR

Writes DIR/verdict.key (private, for the workers, mode 0600) and DIR/verdict.pub (public, for every node). Files that
are already there are left alone, and nothing is written.`;

export const keysInitCommand = {
  help: HELP,
  async run(args: readonly string[]): Promise<number> {
    const { positionals } = parseArgs({ args: [...args], allowPositionals: true, options: {} });
    const [directory] = positionals;
    if (directory === undefined || positionals.length > 1) {
      console.error('portcullis keys init: expected one DIR; see "portcullis keys init --help"');
      return 2;
    }
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const files = { privateFile: join(directory, 'verdict.key'), publicFile: join(directory, 'verdict.pub') };
    await createVerdictKey(files.privateFile, files.publicFile);
    console.log(`${files.privateFile}\n${files.publicFile}`);
    return 0;
  },
};
