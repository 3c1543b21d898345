import { credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import { service } from 'grpc-health-check';
import { ATTRIBUTES } from '../../workflows/search-attributes.ts';
import { runCommand } from '../tools/command.ts';
import { obtain } from '../tools/obtain.ts';
import { freePorts } from './ports.ts';
import { type ServerProcess, startServer } from './process.ts';

export interface TemporalOptions {
  readonly dir: string;
  /** Ports that were used before, for a server that comes back; otherwise free ones. */
  readonly port?: number;
  readonly uiPort?: number;
  /** Keeps executions over a restart; otherwise they are in memory. */
  readonly dbFile?: string;
  /** Without the web UI. */
  readonly headless?: boolean;
}

export interface Temporal extends ServerProcess {
  /** `127.0.0.1:port` of the gRPC frontend. */
  readonly address: string;
  readonly port: number;
  readonly uiPort: number;
  /** Of the web UI, without a trailing slash; undefined when headless. */
  readonly uiUrl: string | undefined;
  readonly namespace: 'default';
}

/**
 * A development server is a single history shard, and the defaults let a shard look for new work 20 times a second, so
 * that every step of a workflow takes 50 ms. A cluster with hundreds of shards does not show this.
 */
const DYNAMIC_CONFIG = {
  'history.transferProcessorMaxPollRPS': 2_000,
  'history.transferProcessorMaxPollHostRPS': 10_000,
} as const;

const FRONTEND = 'temporal.api.workflowservice.v1.WorkflowService';
const PROBE_MS = 2_000;

/**
 * Starts a Temporal development server on loopback, with its web UI and the search attributes of verifications. Rejects
 * as `startServer` does.
 */
export async function startTemporal(options: TemporalOptions): Promise<Temporal> {
  const { temporal } = await obtain(['temporal']);
  const [port, uiPort] = await portsOf(options);
  const address = `127.0.0.1:${port}`;
  const headless = options.headless === true;
  const uiUrl = headless ? undefined : `http://127.0.0.1:${uiPort}`;
  const server = await startServer({
    name: 'temporal',
    program: temporal,
    dir: options.dir,
    args: [
      ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--log-format', 'json'],
      ...(headless ? ['--headless'] : ['--ui-port', String(uiPort), '--ui-disable-news-fetch']),
      ...(options.dbFile === undefined ? [] : ['--db-filename', options.dbFile]),
      ...Object.values(ATTRIBUTES).flatMap((attribute) => ['--search-attribute', `${attribute.name}=Keyword`]),
      ...Object.entries(DYNAMIC_CONFIG).flatMap(([key, value]) => ['--dynamic-config-value', `${key}=${value}`]),
    ],
    ready: async () =>
      (await isServing(address)) &&
      (await knowsNamespace(temporal, address)) &&
      (uiUrl === undefined || (await fetch(uiUrl)).ok),
  });
  return { ...server, address, port, uiPort, uiUrl, namespace: 'default' };
}

async function portsOf(options: TemporalOptions): Promise<readonly [number, number]> {
  const [port, uiPort] = await freePorts(2);
  if (port === undefined || uiPort === undefined) throw new Error('expected two free ports');
  return [options.port ?? port, options.uiPort ?? uiPort];
}

const HealthClient = makeGenericClientConstructor(service, 'Health');

/** Whether a server answers the gRPC health check for Temporal's frontend with SERVING. */
async function isServing(address: string): Promise<boolean> {
  const check = service['Check'];
  if (check === undefined) throw new Error('expected the method Check in the health service');
  const client = new HealthClient(address, credentials.createInsecure());
  try {
    return await new Promise((resolve) => {
      client.makeUnaryRequest<object, object>(
        check.path,
        check.requestSerialize,
        check.responseDeserialize,
        { service: FRONTEND },
        { deadline: Date.now() + PROBE_MS },
        (_error, response) => resolve(response !== undefined && 'status' in response && response.status === 'SERVING'),
      );
    });
  } finally {
    client.close();
  }
}

async function knowsNamespace(temporal: string, address: string): Promise<boolean> {
  const args = ['operator', 'namespace', 'describe', '--namespace', 'default', '--address', address];
  return (await runCommand(temporal, args, { timeoutMs: PROBE_MS })).code === 0;
}
