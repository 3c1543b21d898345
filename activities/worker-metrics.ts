import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { createServer, SocketAddress } from 'node:net';

/** What the SDK's runtime does with an address: serves /metrics there, or throws. */
export type Install = (bindAddress: string | undefined) => void;

/** Metrics that are served, or being opened. */
export interface WorkerMetrics {
  stop(): void;
}

type Log = (level: 'info' | 'warn', message: string, fields: object) => void;

/** Between two attempts to listen, in ms: another program may hold the port for good, and one attempt costs nothing. */
const RETRY_MS = 5_000;

/** Ports are given up when another program takes each of so many that were free a moment before. */
const FREE_PORTS = 5;

/** Scrapers at once, and the time for one scrape, in ms. */
const MAX_SCRAPERS = 32;
const SCRAPE_MS = 5_000;

/**
 * Installs the runtime with its metrics at `IP:PORT`. The runtime opens that port itself and only once, so where another
 * program holds it the runtime gets a free port of the loopback interface, and the wanted one is opened in the background
 * and passes scrapes on. Metrics only inform: a worker never ends for lack of them. Throws for an address that is none.
 */
export async function installWithMetrics(
  address: string | undefined,
  install: Install,
  log: Log,
  retryMs = RETRY_MS,
): Promise<WorkerMetrics> {
  const nothing = { stop: () => {} };
  if (address === undefined) {
    install(undefined);
    return nothing;
  }
  const wanted = /:\d+$/.test(address) ? SocketAddress.parse(address) : undefined;
  if (wanted === undefined) {
    throw new Error(`expected IP:PORT for metrics, found ${address}; choose another with --metrics`);
  }
  const problem = attempt(install, address);
  if (problem === undefined) return nothing;
  log('warn', 'the metrics are missing; the worker works without them', { address, error: problem });
  const inner = await installOnFreePort(install);
  if (inner === undefined) {
    install(undefined);
    return nothing;
  }
  return serveLater(wanted, inner, log, retryMs);
}

function attempt(install: Install, address: string): string | undefined {
  try {
    install(address);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Answers the port that the runtime serves its metrics at. */
async function installOnFreePort(install: Install): Promise<number | undefined> {
  for (let tries = 0; tries < FREE_PORTS; tries++) {
    const finder = createServer().listen(0, '127.0.0.1');
    await once(finder, 'listening');
    const bound = finder.address();
    finder.close();
    await once(finder, 'close');
    if (bound === null || typeof bound === 'string') continue;
    if (attempt(install, `127.0.0.1:${bound.port}`) === undefined) return bound.port;
  }
  return undefined;
}

function serveLater({ address, port }: SocketAddress, inner: number, log: Log, retryMs: number): WorkerMetrics {
  const times = { requestTimeout: SCRAPE_MS, headersTimeout: SCRAPE_MS, keepAliveTimeout: SCRAPE_MS };
  const server = createHttpServer(times, (incoming, response) => passOn(incoming, response, inner));
  server.maxConnections = MAX_SCRAPERS;
  server.timeout = SCRAPE_MS;
  let timer: NodeJS.Timeout | undefined;
  const listen = () => void server.listen(port, address);
  server.on('listening', () => log('info', 'the metrics are there now', { address, port }));
  // a failure to accept is an error too, and ends nothing
  server.on('error', () => {
    if (!server.listening) timer = setTimeout(listen, retryMs).unref();
  });
  server.unref();
  listen();
  return {
    stop() {
      clearTimeout(timer);
      server.close();
      server.closeAllConnections();
    },
  };
}

function passOn(incoming: IncomingMessage, response: ServerResponse, inner: number): void {
  if (incoming.method !== 'GET' || incoming.url !== '/metrics') {
    response.writeHead(404).end('GET /metrics\n');
    return;
  }
  const options = { host: '127.0.0.1', port: inner, path: '/metrics', timeout: SCRAPE_MS };
  const scrape = request(options, (answer) => {
    response.writeHead(answer.statusCode ?? 502, { 'content-type': answer.headers['content-type'] ?? 'text/plain' });
    answer.pipe(response);
  });
  scrape.on('timeout', () => scrape.destroy());
  scrape.on('error', () => response.destroy());
  response.on('close', () => scrape.destroy());
  scrape.end();
}
