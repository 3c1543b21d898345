import { describeDaemon } from '../doctor/describe-daemon.ts';
import { KEY_LAST_USED, KEY_NOT_AFTER, type ListenAddress, VERDICTS_BY_KEY } from '../metrics.ts';
import { scrapeMetrics } from '../scrape.ts';

/** What a running shim says of one of its verdict keys. */
export interface KeyUse {
  /** Verdicts by it that were believed since the shim was started. */
  readonly verdicts: number;
  /** When the last one was; RFC 3339, `undefined` before the first. */
  readonly lastAt: string | undefined;
  /** Whether it is believed still; counts of a key outlive its file. */
  readonly isLoaded: boolean;
}

/** Whom to ask: the daemon by its gRPC socket, or whatever answers at a port. */
export type ShimAddress = { readonly grpcSocket: string } | ListenAddress;

/** Asks a running shim which keys it uses; a sentence where it does not answer. */
export async function readKeyUse(address: ShimAddress): Promise<ReadonlyMap<string, KeyUse> | string> {
  const text = 'grpcSocket' in address ? await bySocket(address.grpcSocket) : await byPort(address);
  return 'problem' in text ? text.problem : parseKeyUse(text.metrics);
}

type Told = { readonly metrics: string } | { readonly problem: string };

/** The socket is the daemon's own; any program of the node may answer at the port of the metrics. */
async function bySocket(grpcSocket: string): Promise<Told> {
  const told = await describeDaemon(grpcSocket);
  if (typeof told === 'object') return told;
  return {
    problem:
      told === undefined
        ? `the shim at ${grpcSocket} is older than this command; ask it with --metrics HOST:PORT`
        : `no shim answers at ${grpcSocket} (${told}); see --grpc-socket`,
  };
}

async function byPort({ host, port }: ListenAddress): Promise<Told> {
  const at = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  try {
    const metrics = await scrapeMetrics(at);
    if (metrics.includes(VERDICTS_BY_KEY)) return { metrics };
    return { problem: `what answers at ${at} is no portcullis shim; see --metrics` };
  } catch {
    return { problem: `no shim answers at ${at}; see --metrics` };
  }
}

/** Reads what it needs of the Prometheus text format. */
export function parseKeyUse(text: string): ReadonlyMap<string, KeyUse> {
  const [verdicts, last, loaded] = [VERDICTS_BY_KEY, KEY_LAST_USED, KEY_NOT_AFTER].map((name) => samples(text, name));
  const uses = [...(verdicts ?? [])].map(([key, count]): [string, KeyUse] => {
    const at = last?.get(key) ?? 0;
    const lastAt = at > 0 ? new Date(at * 1_000).toISOString() : undefined;
    return [key, { verdicts: count, lastAt, isLoaded: loaded?.has(key) === true }];
  });
  return new Map(uses);
}

function samples(text: string, name: string): ReadonlyMap<string, number> {
  const found = text.matchAll(new RegExp(`^${name}\\{key="([0-9a-f]{64})"\\} (\\S+)$`, 'gm'));
  return new Map(
    [...found].map(([, key = '', value = '']) => [key, value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value)]),
  );
}
