import { KEY_LAST_USED, KEY_NOT_AFTER, type ListenAddress, VERDICTS_BY_KEY } from '../metrics.ts';

/** What a running shim says of one of its verdict keys. */
export interface KeyUse {
  /** Verdicts by it that were believed since the shim was started. */
  readonly verdicts: number;
  /** When the last one was; RFC 3339, `undefined` before the first. */
  readonly lastAt: string | undefined;
  /** Whether it is believed still; counts of a key outlive its file. */
  readonly isLoaded: boolean;
}

const TIMEOUT_MS = 2_000;

/** Some 200 lines of metrics, and room for many more. */
const MAX_METRICS_LENGTH = 4 * 1024 * 1024;

/** Asks a running shim's /metrics; a sentence where it does not answer. */
export async function readKeyUse({ host, port }: ListenAddress): Promise<ReadonlyMap<string, KeyUse> | string> {
  const at = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  try {
    const response = await fetch(`http://${at}/metrics`, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
      redirect: 'error',
    });
    const text = await response.text();
    if (response.ok && text.length <= MAX_METRICS_LENGTH && text.includes(VERDICTS_BY_KEY)) return parseKeyUse(text);
    return `what answers at ${at} is no portcullis shim; see --metrics`;
  } catch {
    return `no shim answers at ${at}; see --metrics`;
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
