import { connectBackend } from '../backend/temporal.ts';
import { readEffective, socketOf } from '../containerd/effective.ts';
import { changedSince } from '../containerd/main-file.ts';
import { type ContainerdProgram, type ContainerdVersion, dumpConfiguration, versionOf } from '../containerd/running.ts';
import { LAYOUT } from '../host/layout.ts';
import { hasImports } from '../offline/import-folder.ts';
import { backendFindings } from './backend-findings.ts';
import { configurationFindings, versionFindings } from './configuration-findings.ts';
import { type DaemonSettings, daemonFindings } from './daemon-findings.ts';
import type { Finding } from './finding.ts';
import { launcherFindings } from './launcher-findings.ts';
import { runningFindings } from './running-findings.ts';
import { secretFindings } from './secret-findings.ts';

/** Everything that is wrong with a node, the worst first. Rejects when the containerd can't be run at all. */
export async function examine(containerd: ContainerdProgram, daemon: DaemonSettings): Promise<readonly Finding[]> {
  const version = await versionOf(containerd);
  const findings = [
    ...versionFindings(version),
    ...restartFindings(containerd),
    ...(await settingsFindings(containerd, version)),
    ...(await daemonFindings(daemon)),
    ...secretFindings(LAYOUT.environment),
    ...(await fromBackend(daemon)),
  ];
  // A node whose verdicts are brought by file has no backend on purpose.
  const isOffline = daemon.state !== undefined && hasImports(daemon.state);
  const weighed = isOffline ? findings.map(asWithoutBackend) : findings;
  return weighed.toSorted((a, b) => RANK[a.severity] - RANK[b.severity]);
}

const OF_BACKEND: ReadonlySet<Finding['id']> = new Set<Finding['id']>(['backend-unreachable', 'policy-unknown']);

function asWithoutBackend(finding: Finding): Finding {
  return OF_BACKEND.has(finding.id) ? { ...finding, severity: 'weak' } : finding;
}

/** Asks whom the daemon asks, where that is known here. */
async function fromBackend(daemon: DaemonSettings): Promise<readonly Finding[]> {
  if (process.env['TEMPORAL_ADDRESS'] === undefined) return [];
  const backend = connectBackend(daemon.taskQueue, daemon);
  try {
    return await backendFindings(backend, daemon);
  } finally {
    await backend.close();
  }
}

const RANK: Readonly<Record<Finding['severity'], number>> = { open: 0, stuck: 1, weak: 2 };

async function settingsFindings(
  containerd: ContainerdProgram,
  version: ContainerdVersion | undefined,
): Promise<readonly Finding[]> {
  const dump = await dumpConfiguration(containerd).catch((error: unknown) => String(error));
  if (typeof dump === 'string') {
    const fix = `correct ${containerd.config}; a [proxy_plugins] of type image-verifier makes containerd panic`;
    const why = 'containerd does not start with it';
    return [{ id: 'configuration-refused', severity: 'stuck', found: dump, why, fix }];
  }
  const effective = readEffective(dump);
  const isRunning = containerd.startedAt !== undefined;
  return [
    ...configurationFindings(effective),
    ...(await launcherFindings(effective.verifier?.binDir ?? '')),
    ...(isRunning ? await runningFindings(socketOf(containerd, effective), version) : []),
  ];
}

/** What a file says counts from the next start on. */
function restartFindings({ config, startedAt }: ContainerdProgram): readonly Finding[] {
  const changed = startedAt === undefined ? undefined : changedSince(config, startedAt);
  if (changed === undefined) return [];
  return [
    {
      id: 'containerd-not-restarted',
      severity: 'open',
      found: `${changed.path} was changed at ${new Date(changed.at).toISOString()}, after containerd had started`,
      why: 'the running containerd uses what it read at its start',
      fix: 'systemctl restart containerd',
    },
  ];
}
