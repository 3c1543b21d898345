import type { ListenAddress } from '../metrics.ts';

/** Defaults that several commands share; the launcher has the first one compiled in. */
export const DEFAULT_LAUNCHER_SOCKET = '/run/portcullis/launcher.sock';
export const DEFAULT_GRPC_SOCKET = '/run/portcullis/grpc.sock';
export const DEFAULT_TASK_QUEUE = 'portcullis';

/** Parses `HOST:PORT` (an IPv6 host in brackets) or `off`; `undefined` for anything else. */
export function parseListenAddress(text: string): ListenAddress | 'off' | undefined {
  if (text === 'off') return text;
  const [, host, port] = /^(\[[0-9a-fA-F:.]+\]|[^:]+):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || Number(port) > 65_535) return undefined;
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
}
