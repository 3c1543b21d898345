import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** The server publishes its counters once a second. */
const SETTLED_MS = 2_000;
const SETTLING_MS = 30_000;

/**
 * What changes a workflow in Temporal's store, as `persistence_requests` of server 1.32 names it: each is one
 * transaction on the workflow's mutable state, with its history events. Reads, task queues, shards and visibility are
 * left out.
 */
export const COUNTED_OPERATIONS = [
  'CreateWorkflowExecution',
  'UpdateWorkflowExecution',
  'ConflictResolveWorkflowExecution',
  'SetWorkflowExecution',
  'AddHistoryTasks',
] as const;

export type StoreOperation = (typeof COUNTED_OPERATIONS)[number];
export type StoreWrites = Readonly<Record<StoreOperation, number>>;

/** Where a development server says in its log that its metrics are. Throws when it does not. */
export async function findMetrics(temporalLog: string): Promise<string> {
  const found = /^Temporal Metrics:\s+(http:\S+)$/m.exec(await readFile(temporalLog, 'utf8'));
  if (found?.[1] === undefined)
    throw new Error(`${temporalLog}: expected a line "Temporal Metrics: http:...", found none`);
  return found[1];
}

/**
 * The counters of one namespace since the server started, once they have stood still for a while. Rejects when there
 * are none, or when they do not come to rest.
 */
export async function readStoreWrites(metricsUrl: string, namespace: string): Promise<StoreWrites> {
  const until = Date.now() + SETTLING_MS;
  let known = await readNow(metricsUrl, namespace);
  while (Date.now() < until) {
    await delay(SETTLED_MS);
    const now = await readNow(metricsUrl, namespace);
    if (COUNTED_OPERATIONS.every((operation) => now[operation] === known[operation])) return now;
    known = now;
  }
  throw new Error(
    `${metricsUrl}: expected the writes to ${namespace} to end within ${SETTLING_MS / 1_000} s; who writes?`,
  );
}

async function readNow(metricsUrl: string, namespace: string): Promise<StoreWrites> {
  const response = await fetch(metricsUrl);
  const text = await response.text();
  if (!response.ok) throw new Error(`${metricsUrl}: expected status 200, found ${response.status}`);
  return parseStoreWrites(text, namespace);
}

/** Reads Prometheus' text format. Throws when it has no `persistence_requests` or a value is no number. */
export function parseStoreWrites(metrics: string, namespace: string): StoreWrites {
  const lines = metrics.split('\n').filter((line) => line.startsWith('persistence_requests{'));
  if (lines.length === 0) throw new Error('expected the metric persistence_requests, found other metrics only');
  const samples = lines.filter((line) => line.includes(`namespace="${namespace}"`)).map(parseSample);
  return perOperation((operation) =>
    samples.filter((sample) => sample.operation === operation).reduce((total, { value }) => total + value, 0),
  );
}

function parseSample(line: string): { readonly operation: string; readonly value: number } {
  const [, operation, digits] = /[{,]operation="([^"]*)".*\} (\d+(?:\.\d+)?(?:e\+\d+)?)$/.exec(line) ?? [];
  if (operation === undefined || digits === undefined) {
    throw new Error(`expected persistence_requests{operation="..."} and a number, found ${line.slice(0, 200)}`);
  }
  return { operation, value: Number(digits) };
}

/** One value for each counted operation. */
export function perOperation(value: (operation: StoreOperation) => number): StoreWrites {
  // Object.fromEntries forgets which keys it got; there is one entry for each operation.
  return Object.fromEntries(COUNTED_OPERATIONS.map((operation) => [operation, value(operation)])) as StoreWrites;
}
