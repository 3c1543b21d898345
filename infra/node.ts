import { readFileSync } from 'node:fs';
import { guardOutput, runCommand } from './command.ts';
import { NODE_COMMANDS } from './node-commands.ts';

// Runs only as lib/node/portcullis.mjs of a release, which release.ts makes.
const version = readFileSync(new URL('../../VERSION', import.meta.url), 'utf8').trim();

guardOutput();
process.exitCode = await runCommand(NODE_COMMANDS, version, process.argv.slice(2));
