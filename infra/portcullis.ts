import { type Commands, guardOutput, runCommand } from './command.ts';
import { NODE_COMMANDS } from './node-commands.ts';
import { packageVersion } from './version.ts';

/** What a worker's machine has besides. */
const WORKER_COMMANDS: Commands = {
  worker: async () => (await import('../activities/cli/worker.ts')).workerCommand,
  'policy check': async () => (await import('../activities/cli/policy-check.ts')).policyCheckCommand,
  'keys init': async () => (await import('../activities/cli/keys-init.ts')).keysInitCommand,
  'conformance verify-bundle': async () => (await import('../activities/cli/conformance.ts')).conformanceCommand,
};

guardOutput();
process.exitCode = await runCommand(
  { ...NODE_COMMANDS, ...WORKER_COMMANDS },
  `${packageVersion()} (checkout)`,
  process.argv.slice(2),
);
