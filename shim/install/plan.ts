import { existsSync } from 'node:fs';
import { readEffective, socketOf } from '../containerd/effective.ts';
import { changedSince } from '../containerd/main-file.ts';
import { type ContainerdProgram, type Dump, versionOf } from '../containerd/running.ts';
import { sandboxImageOf } from '../containerd/sandbox-image.ts';
import { textAt } from '../host/atomic-file.ts';
import { LAYOUT } from '../host/layout.ts';
import { containerdChanges, dumpWithoutOurs, readsFilesBeside } from './containerd-change.ts';
import { type Distribution, distributionOf } from './distribution.ts';
import { binDirOf, lazyPullNotes } from './drop-in.ts';
import type { FileChange } from './file-change.ts';
import { isLauncherOf } from './launcher-place.ts';
import type { LearntFrom } from './learnt-list.ts';
import { type BootstrapListFile, type Given, nodeFiles } from './node-files.ts';
import { refusals } from './preflight.ts';
import { currentRelease, type Release } from './release.ts';

/** All that an installation is going to do, before it does anything. */
export interface Plan {
  readonly release: Release;
  readonly containerd: ContainerdProgram;
  /** What it makes of its configuration without portcullis. */
  readonly dump: Dump;
  /** Its Unix socket. */
  readonly socket: string;
  readonly distribution: Distribution;
  readonly binDir: string;
  readonly isCurrent: boolean;
  readonly isLauncherThere: boolean;
  /** The daemon's files, and those of containerd. */
  readonly daemon: readonly FileChange[];
  readonly configuration: readonly FileChange[];
  /** Whether the running containerd has not read what its files say now. */
  readonly isOutdated: boolean;
  /** What the change means for the node besides, one sentence each. */
  readonly notes: readonly string[];
  /** Why it must not be done; empty when it may. */
  readonly refusals: readonly string[];
}

/** What a person wants of a bootstrap list: one that is made once containerd's socket is known, none, or nothing was said. */
export type BootstrapChoice = ((from: LearntFrom) => Promise<BootstrapListFile>) | 'none' | undefined;

/** Looks at everything and changes nothing. Rejects when containerd can't read its own configuration. */
export async function planInstallation(
  release: Release,
  containerd: ContainerdProgram,
  given: Omit<Given, 'bootstrapList'>,
  bootstrap: BootstrapChoice,
): Promise<Plan> {
  const dump = await dumpWithoutOurs(containerd);
  const effective = readEffective(dump);
  const version = await versionOf(containerd);
  if (version === undefined) throw new Error(`${containerd.binary} does not tell its version`);
  const socket = socketOf(containerd, effective);
  const distribution = distributionOf(containerd, {
    osRelease: textAt('/etc/os-release') ?? '',
    exists: existsSync,
    readsFilesBeside: readsFilesBeside(containerd.config),
  });
  const from = { socket, sandbox: sandboxImageOf(effective) };
  const bootstrapList = typeof bootstrap === 'function' ? await bootstrap(from) : undefined;
  const daemon = await nodeFiles({ ...given, bootstrapList }, release.folder, socket);
  const environment = daemon.find(({ path }) => path === LAYOUT.environment)?.after ?? textAt(LAYOUT.environment) ?? '';
  const binDir = binDirOf(effective);
  const current = currentRelease();
  return {
    ...{ release, containerd, dump, socket, distribution, binDir, daemon },
    isCurrent: current?.endsWith(`/${release.version}`) === true,
    isLauncherThere: isLauncherOf(release.folder, binDir),
    isOutdated:
      containerd.startedAt !== undefined && changedSince(containerd.config, containerd.startedAt) !== undefined,
    configuration: containerdChanges(containerd, version, effective),
    notes: lazyPullNotes(effective),
    refusals: [
      ...(await refusals(version, effective, {
        ...{ verdictKeys: given.verdictKeys ?? LAYOUT.verdictKeys, environment, distribution },
        // Who upgrades has decided that before.
        hasBootstrapList: bootstrap !== undefined || current !== undefined,
      })),
      ...(isWritten(bootstrapList, daemon) ? bootstrapList.refusals : []),
    ],
  };
}

/** A list that is on the node already, word for word, needs no decision. */
function isWritten(list: BootstrapListFile | undefined, changes: readonly FileChange[]): list is BootstrapListFile {
  return (
    list !== undefined && changes.some(({ path, before }) => path.endsWith(`/${list.name}`) && before !== list.text)
  );
}
