import { existsSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { plainText } from '../../workflows/format/plain-text.ts';
import { readEffective } from '../containerd/effective.ts';
import { dumpConfiguration } from '../containerd/running.ts';
import { LAYOUT } from '../host/layout.ts';
import { containerdRemovals } from '../install/containerd-change.ts';
import { binDirOf } from '../install/drop-in.ts';
import { applyAll, changeOf, diffOf } from '../install/file-change.ts';
import { removeLauncher } from '../install/launcher-place.ts';
import { systemd } from '../install/service.ts';
import { findContainerd } from './findings.ts';

const HELP = `Takes portcullis off this node: from then on containerd pulls without asking.

Usage: portcullis uninstall [OPTIONS]

  --containerd BINARY       the containerd that was guarded, when it does not run
  --containerd-config FILE  its configuration (default /etc/containerd/config.toml)
  --purge                   settings, verdict keys, bootstrap lists and kept verdicts as well
  --without-restart         leave containerd running: it reads its configuration at its next start
  --dry-run                 say what would be done, and do nothing

It takes away what "portcullis install" put there, and leaves what others wrote as they wrote it.

Exit code 0: done. 1: not done, with the reason. 3: there is no containerd to look at.`;

export const uninstallCommand = {
  help: HELP,
  async run(args: readonly string[]): Promise<number> {
    const { values } = parseArgs({
      args: [...args],
      options: {
        containerd: { type: 'string' },
        'containerd-config': { type: 'string' },
        purge: { type: 'boolean', default: false },
        'without-restart': { type: 'boolean', default: false },
        'dry-run': { type: 'boolean', default: false },
      },
    });
    const containerd = await findContainerd(values.containerd, values['containerd-config']);
    if (containerd === undefined) {
      console.error(
        'portcullis uninstall: no containerd runs here; name one with --containerd and --containerd-config',
      );
      return 3;
    }
    const effective = readEffective(await dumpConfiguration(containerd));
    const changes = [
      ...containerdRemovals(containerd),
      ...[LAYOUT.unit, LAYOUT.tmpfiles].flatMap((path) => changeOf(path, undefined) ?? []),
    ];
    for (const change of changes) {
      if (change.after === undefined) console.log(`removed: ${change.path}`);
      else console.log(diffOf(change).replace(/\n$/, ''));
    }
    const folders = ['/opt/portcullis', ...(values.purge ? [dirname(LAYOUT.settings), LAYOUT.state] : [])];
    for (const folder of folders.filter((path) => existsSync(path))) console.log(`removed: ${folder}`);
    if (values['dry-run']) return 0;
    const services = systemd();
    if (process.getuid?.() !== 0 || services === undefined) {
      console.error('portcullis uninstall: refused: expected root and a running systemd');
      return 1;
    }
    // The launcher last but for the daemon: without it nobody is asked, and with it and no daemon nothing is pulled.
    await services.disable();
    applyAll(changes);
    await services.reload();
    if (containerd.service !== undefined && !values['without-restart']) await services.restart(containerd.service);
    removeLauncher(binDirOf(effective));
    await services.stop();
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    console.log(`${plainText(containerd.binary)} pulls without asking now`);
    return 0;
  },
};
