import { parseArgs } from 'node:util';
import { plainJson, plainText } from '../../workflows/format/plain-text.ts';
import { DEFAULT_SHIM_FILE, readNodeSettings } from '../configuration.ts';
import { type ImportReport, importFile } from '../offline/import-file.ts';
import { DEFAULT_TASK_QUEUE, FLEET_USAGE, fleetOf, wrongUsage } from './options.ts';

const HELP = `Brings verdicts that "portcullis export" wrote to this node, which needs no backend for them.

Usage: portcullis import FILE [OPTIONS]

  --state DIR          the daemon's state folder (default: that of --config)
  --verdict-keys PATH  public key of the workers' verdicts, or a directory of *.pub files (default: that of --config)
  --fleet NAME         the fleet of this node (default: that of --config, or its task queue)
  --config FILE        the daemon's settings (default ${DEFAULT_SHIM_FILE}, if it is there)
  --dry-run            check, and change nothing
  --output text|json   (default text)

Everything in the file is checked by the node's own verdict keys and fleet, and one forged part refuses all of it. The daemon takes an import
within seconds or at its next start, and checks each verdict again when it uses it: when the backend can't be reached, under the
newest policy statement that the node has. A newer file replaces what an older one says about the policy and about revoked digests.
Needs root.

Exit code 0: imported. 1: something in the file is not accepted, or nothing in it can be used. 3: it could not be read or written.`;

export const importCommand = {
  help: HELP,
  async run(args: readonly string[]): Promise<number> {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        state: { type: 'string' },
        'verdict-keys': { type: 'string' },
        fleet: { type: 'string' },
        config: { type: 'string' },
        'dry-run': { type: 'boolean', default: false },
        output: { type: 'string', default: 'text' },
      },
    });
    const [path] = positionals;
    if (path === undefined || positionals.length > 1) return wrongUsage('import', 'expected one FILE');
    if (!['text', 'json'].includes(values.output)) return wrongUsage('import', '--output: expected text or json');
    const settings = await readNodeSettings(values.config);
    const state = values.state ?? settings.state;
    const keyPath = values['verdict-keys'] ?? settings['verdict-keys'];
    if (state === undefined) return wrongUsage('import', '--state is needed, which the daemon is given, too');
    if (keyPath === undefined) return wrongUsage('import', '--verdict-keys is needed');
    const fleet = fleetOf(values.fleet ?? settings.fleet, settings['task-queue'] ?? DEFAULT_TASK_QUEUE);
    if (fleet === undefined) return wrongUsage('import', FLEET_USAGE);
    const report = await importFile(path, { state, verdictKeys: keyPath, fleet }, values['dry-run']);
    if (values.output === 'json') console.log(plainJson(report, 2));
    else print(path, report, values['dry-run']);
    return report.problems.length > 0 ? 1 : 0;
  },
};

function print(path: string, { file, removed, verdicts, problems }: ImportReport, isDry: boolean): void {
  for (const { name, digest, until, problem } of verdicts) {
    const image = `${plainText(name)}@${digest}`;
    if (problem === undefined) console.log(`until ${until}  ${image}`);
    else console.error(`portcullis import: ${image}: ${problem}`);
  }
  for (const problem of problems) console.error(`portcullis import: ${plainText(path)}: ${plainText(problem)}`);
  for (const old of removed) console.log(`removed ${plainText(old)}: nothing in it counts any more`);
  if (problems.length > 0) console.error('portcullis import: nothing was imported');
  else if (isDry) console.log(`${plainText(path)} is good; nothing was changed`);
  else console.log(`imported as ${file}; the daemon takes it within seconds, or when it starts`);
}
