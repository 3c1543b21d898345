import { FLEET_RULE, isFleetName } from '../../workflows/fleet.ts';
import type { ProxyEnvironment } from '../../workflows/format/proxy.ts';
import type { ListenAddress } from '../metrics.ts';

/** Defaults that several commands share; the launcher has the first one compiled in. */
export const DEFAULT_LAUNCHER_SOCKET = '/run/portcullis/launcher.sock';
export const DEFAULT_GRPC_SOCKET = '/run/portcullis/grpc.sock';
export const DEFAULT_CONTAINERD_SOCKET = '/run/containerd/containerd.sock';
export const DEFAULT_TASK_QUEUE = 'portcullis';

/** Parses `HOST:PORT` (an IPv6 host in brackets) or `off`; `undefined` for anything else. */
export function parseListenAddress(text: string): ListenAddress | 'off' | undefined {
  if (text === 'off') return text;
  const [, host, port] = /^(\[[0-9a-fA-F:.]+\]|[^:]+):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || Number(port) > 65_535) return undefined;
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
}

const UNITS: ReadonlyMap<string, number> = new Map([
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

/** Parses `90s`, `5m`, `1h` (10 s to 24 h) into ms, or `off`; `undefined` for anything else. */
export function parseInterval(text: string): number | 'off' | undefined {
  if (text === 'off') return text;
  const [, count, unit = ''] = /^(\d{1,5})([smh])$/.exec(text) ?? [];
  const ms = Number(count) * (UNITS.get(unit) ?? Number.NaN);
  return ms >= 10_000 && ms <= 86_400_000 ? ms : undefined;
}

/** The fleet that a command works for: the one that is named, or the task queue; `undefined` when it can't be a name. */
export function fleetOf(named: string | undefined, taskQueue: string): string | undefined {
  const fleet = named ?? taskQueue;
  return isFleetName(fleet) ? fleet : undefined;
}

/** What is wrong with a command line whose fleet can't be one. */
export const FLEET_USAGE = `--fleet: expected ${FLEET_RULE}; a task queue of another form needs a fleet of its own`;

/** The variables that name proxies by `environment`, which is the default, or `off`; `undefined` for anything else. */
export function parseProxies(text = 'environment'): ProxyEnvironment | undefined {
  if (text === 'off') return {};
  return text === 'environment' ? process.env : undefined;
}

export const PROXY_USAGE = '--proxy: expected environment or off';

/** Says what was wrong with a command line, and answers the exit code for that. */
export function wrongUsage(command: string, what: string): number {
  console.error(`portcullis ${command}: ${what}; see "portcullis ${command} --help"`);
  return 2;
}
