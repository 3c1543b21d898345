import { plainText } from '../../workflows/format/plain-text.ts';
import { DEFAULT_SHIM_FILE, readNodeSettings } from '../configuration.ts';
import { type ContainerdProgram, findRunning } from '../containerd/running.ts';
import type { DaemonSettings } from '../doctor/daemon-findings.ts';
import type { Finding } from '../doctor/finding.ts';
import {
  DEFAULT_GRPC_SOCKET,
  DEFAULT_LAUNCHER_SOCKET,
  DEFAULT_TASK_QUEUE,
  PROXY_USAGE,
  parseProxies,
} from './options.ts';

const MARK: Readonly<Record<Finding['severity'], string>> = { open: 'OPEN ', stuck: 'STUCK', weak: 'weak ' };

/** The containerd that is named, or the one that runs here. */
export async function findContainerd(binary?: string, config?: string): Promise<ContainerdProgram | undefined> {
  const running = binary === undefined ? await findRunning() : undefined;
  if (binary === undefined) return running && { ...running, config: config ?? running.config };
  return { binary, config: config ?? '/etc/containerd/config.toml', startedAt: undefined };
}

/** What the daemon of this node was told. */
export async function daemonSettings(file: string | undefined): Promise<DaemonSettings> {
  const settings = await readNodeSettings(file);
  const { metrics = '127.0.0.1:9464' } = settings;
  const proxies = parseProxies(settings.proxy);
  if (proxies === undefined) throw new Error(`${file ?? DEFAULT_SHIM_FILE}: ${PROXY_USAGE}`);
  return {
    launcherSocket: settings.socket ?? DEFAULT_LAUNCHER_SOCKET,
    grpcSocket: settings['grpc-socket'] ?? DEFAULT_GRPC_SOCKET,
    verdictKeys: settings['verdict-keys'],
    bootstrap: settings.bootstrap,
    state: settings.state,
    taskQueue: settings['task-queue'] ?? DEFAULT_TASK_QUEUE,
    proxies,
    fleet: settings.fleet ?? settings['task-queue'] ?? DEFAULT_TASK_QUEUE,
    metrics: metrics === 'off' ? undefined : metrics,
  };
}

/** What doctor found, for people. */
export function printFindings(findings: readonly Finding[]): void {
  for (const { id, severity, found, why, fix } of findings) {
    console.log(
      `\n${MARK[severity]} ${id}: ${plainText(found)}\n      ${plainText(why)}\n      cure: ${plainText(fix)}`,
    );
  }
  const bad = findings.filter(({ severity }) => severity !== 'weak').length;
  const rest = findings.length - bad;
  console.log(`\n${bad === 0 ? 'nothing opens the gate' : `${bad} to cure`}${rest === 0 ? '' : `, ${rest} weak`}`);
}
