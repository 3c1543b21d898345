import { createServer, type Server } from 'node:http';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Outcome, ReasonCode } from '../workflows/verdict/reason.ts';
import { CANARY_OUTCOMES } from './canary/outcome.ts';
import type { CanaryState } from './canary/watch.ts';
import type { VerdictKeys } from './verdict-keys/verdict-keys.ts';

/** Who asked: containerd through the launcher, or a gRPC caller. */
export type Front = 'launcher' | 'grpc';

/** The metrics of a node; names and labels are an interface (shim/README.md). */
export interface Metrics {
  /** A decision was asked for; call the answer when it is there. */
  begin(front: Front): (outcome: Outcome, reason: ReasonCode) => void;
  /** A verdict was believed that the key with this id signed. */
  verdictBy(keyId: string): void;
  render(): Promise<{ readonly contentType: string; readonly body: string }>;
}

/** The metrics that `portcullis keys list` reads. */
export const VERDICTS_BY_KEY = 'portcullis_verdicts_by_key_total';
export const KEY_LAST_USED = 'portcullis_verdict_key_last_used_timestamp_seconds';
export const KEY_NOT_AFTER = 'portcullis_verdict_key_not_after_timestamp_seconds';

/** What a node holds at the moment it is asked. */
export interface Holdings {
  readonly cache: { readonly entries: number; readonly lost: number; readonly bytes: number } | undefined;
  /** What of the state could not be written the last time, and whether it could not be read. */
  readonly state: { readonly unkept: number; readonly unreadable: boolean };
  readonly admission: { readonly running: number; readonly waiting: number };
  /** Digests on the bootstrap list. */
  readonly listed: number;
  /** `undefined` when the daemon runs none by itself. */
  readonly canary: CanaryState | undefined;
  readonly parts: readonly PartState[];
}

/** A part of the daemon that the gate does not need, and why it is not there now. */
export interface PartState {
  readonly name: string;
  readonly problem: string | undefined;
}

/** Makes the metrics in a registry of their own; `policyAge` is the age in ms of the newest policy statement. */
export function createMetrics(
  policyAge: () => number | undefined,
  keys: () => VerdictKeys,
  holdings: () => Holdings,
): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const decisions = new Counter({
    name: 'portcullis_decisions_total',
    help: 'Decisions by front (launcher, grpc), outcome (allow, deny, inconclusive) and decisive reason code.',
    labelNames: ['front', 'outcome', 'reason'],
    registers: [registry],
  });
  const duration = new Histogram({
    name: 'portcullis_decision_duration_seconds',
    help: 'Time from question to decision.',
    labelNames: ['front', 'outcome'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });
  const running = new Gauge({
    name: 'portcullis_decisions_in_flight',
    help: 'Decisions being made now.',
    registers: [registry],
  });
  new Gauge({
    name: 'portcullis_policy_age_seconds',
    help: 'Age of the newest signed policy statement; -1 before the first.',
    registers: [registry],
    collect() {
      const age = policyAge();
      this.set(age === undefined ? -1 : age / 1_000);
    },
  });
  measureHoldings(registry, holdings);
  const verdictBy = countByKey(registry, keys);
  return {
    verdictBy,
    begin(front) {
      const started = performance.now();
      running.inc();
      return (outcome, reason) => {
        running.dec();
        decisions.inc({ front, outcome, reason });
        duration.observe({ front, outcome }, (performance.now() - started) / 1_000);
      };
    },
    render: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
  };
}

function measureHoldings(registry: Registry, holdings: () => Holdings): void {
  const gauge = (name: string, help: string, value: (held: Holdings) => number) =>
    new Gauge({
      ...{ name, help, registers: [registry] },
      collect() {
        this.set(value(holdings()));
      },
    });
  gauge('portcullis_kept_verdicts', 'Verdicts in the cache on the disk.', ({ cache }) => cache?.entries ?? 0);
  gauge('portcullis_kept_verdicts_bytes', 'Bytes that they take.', ({ cache }) => cache?.bytes ?? 0);
  gauge('portcullis_kept_verdicts_lost', 'Verdicts that could not be kept.', ({ cache }) => cache?.lost ?? 0);
  gauge(
    'portcullis_state_unkept',
    'Files of the state that could not be written the last time.',
    ({ state }) => state.unkept,
  );
  gauge('portcullis_state_unreadable', '1 while the state of before the start is not known.', ({ state }) =>
    Number(state.unreadable),
  );
  gauge('portcullis_backend_questions', 'Questions at the backend now.', ({ admission }) => admission.running);
  gauge('portcullis_backend_questions_waiting', 'Those that wait for a turn.', ({ admission }) => admission.waiting);
  gauge('portcullis_canary_green', '1 when the last canary was green, 0 red, -1 not known.', ({ canary }) =>
    Number(canary?.green ?? -1),
  );
  gauge('portcullis_canary_timestamp_seconds', 'When the last one ended that was green or red.', ({ canary }) =>
    canary === undefined ? 0 : canary.at / 1_000,
  );
  new Counter({
    ...{ name: 'portcullis_canary_runs_total', help: 'Canaries by outcome.', labelNames: ['outcome'] },
    registers: [registry],
    collect() {
      this.reset();
      const outcomes = holdings().canary?.outcomes;
      for (const outcome of CANARY_OUTCOMES) this.inc({ outcome }, outcomes?.get(outcome) ?? 0);
    },
  });
  new Gauge({
    ...{ name: 'portcullis_part_missing', labelNames: ['part'], registers: [registry] },
    help: '1 for a part of the daemon (grpc, metrics, canary) that cannot be opened now; the gate works without it.',
    collect() {
      for (const { name, problem } of holdings().parts) this.set({ part: name }, problem === undefined ? 0 : 1);
    },
  });
  gauge('portcullis_bootstrap_digests', 'Digests on the bootstrap list.', ({ listed }) => listed);
}

/** Which verdict keys there are, until when, and what they signed: the end of a rotation can be read off. */
function countByKey(registry: Registry, keys: () => VerdictKeys): (keyId: string) => void {
  const registers = [registry];
  const labelNames = ['key'] as const;
  const verdicts = new Counter({
    ...{ name: VERDICTS_BY_KEY, labelNames, registers },
    help: 'Accepted verdicts by the id of the key that signed them.',
    collect() {
      for (const key of keys().keys()) this.inc({ key }, 0);
    },
  });
  const last = new Gauge({
    ...{ name: KEY_LAST_USED, labelNames, registers },
    help: 'When a verdict by this key was last accepted, Unix time; 0 before the first.',
    collect() {
      for (const key of keys().keys()) this.inc({ key }, 0);
    },
  });
  new Gauge({
    ...{ name: KEY_NOT_AFTER, labelNames, registers },
    help: 'Until when this key is valid, Unix time; +Inf without an end.',
    collect() {
      this.reset();
      for (const [key, { window }] of keys()) this.set({ key }, window.notAfter / 1_000);
    },
  });
  return (key) => {
    verdicts.inc({ key });
    last.set({ key }, Date.now() / 1_000);
  };
}

/** Where a server listens; port 0 is any that is free. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** A node has some scrapers; descriptors are for pulls. */
const MAX_SCRAPERS = 32;

/** For a request to be there, and for a connection that says nothing, in ms. */
const SCRAPE_MS = 5_000;

/** Serves `/metrics`, the usual path for a scraper. */
export async function serveMetrics(address: ListenAddress, metrics: Metrics): Promise<Server> {
  const times = { requestTimeout: SCRAPE_MS, headersTimeout: SCRAPE_MS, keepAliveTimeout: SCRAPE_MS };
  const server = createServer({ ...times }, (request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404).end('GET /metrics\n');
      return;
    }
    metrics.render().then(
      ({ contentType, body }) => response.writeHead(200, { 'content-type': contentType }).end(body),
      () => response.writeHead(500).end(),
    );
  });
  server.maxConnections = MAX_SCRAPERS;
  server.timeout = SCRAPE_MS;
  await new Promise<void>((listening, failed) => {
    server.once('error', failed);
    server.listen(address.port, address.host, () => listening());
  });
  // Without a listener for it, a failure to accept would end the daemon.
  server.on('error', () => {});
  return server;
}
