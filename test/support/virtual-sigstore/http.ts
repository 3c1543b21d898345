import { createServer, type IncomingMessage, type Server } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { listenOnLoopback } from '../loopback.ts';
import { type Answer, type Fault, sendAnswer } from '../registry-fault.ts';
import { type ApiRequest, problem, type Service } from './api.ts';
import { fulcioService } from './api-fulcio.ts';
import { rekorV1Service } from './api-rekor-v1.ts';
import { rekorV2Service } from './api-rekor-v2.ts';
import { tsaService } from './api-tsa.ts';
import type { RekorV1 } from './rekor-v1.ts';
import type { RekorV2 } from './rekor-v2.ts';
import { createVirtualSigstore, type VirtualSigstore } from './sigstore.ts';

export type ServiceName = 'fulcio' | 'rekorV1' | 'rekorV2' | 'tsa';
const SERVICES: readonly ServiceName[] = ['fulcio', 'rekorV1', 'rekorV2', 'tsa'];

/** A virtual Sigstore on loopback, and what can be made to go wrong with it. */
export interface ServedSigstore extends AsyncDisposable {
  readonly sigstore: VirtualSigstore;
  /** Every request so far. */
  readonly requests: readonly ServedRequest[];
  /** From now on this goes wrong; `undefined` mends it. See registry-fault.ts for effects: status, hang, drip, reset ... */
  fault(service: ServiceName, fault: Fault | undefined): void;
  /** Shows another log than the true one: a forger's, a rolled-back one, the other half of a split view (`variant` makes them). */
  showV1(log: RekorV1): void;
  showV2(log: RekorV2): void;
  /** Stops listening: connections are refused, until {@link start}. */
  stop(service: ServiceName): Promise<void>;
  start(service: ServiceName): Promise<void>;
}

export interface ServedRequest {
  readonly service: ServiceName;
  readonly method: string;
  /** With the query. */
  readonly path: string;
}

export interface ServeOptions {
  /** Clock of authorities and logs. */
  readonly clock?: () => Date;
}

/** Serves a fresh virtual Sigstore, each service on a port of its own. */
export async function serveSigstore({ clock = () => new Date() }: ServeOptions = {}): Promise<ServedSigstore> {
  const requests: ServedRequest[] = [];
  const hosts = await Promise.all(SERVICES.map(async (name) => [name, await Host.open(name, requests)] as const));
  const host = (name: ServiceName): Host => {
    const found = hosts.find(([known]) => known === name);
    if (found === undefined) throw new Error(`expected one of ${SERVICES.join(', ')}, found ${name}`);
    return found[1];
  };
  const sigstore = createVirtualSigstore(wholeSeconds(clock()), {
    fulcio: host('fulcio').url,
    rekorV1: host('rekorV1').url,
    rekorV2: host('rekorV2').url,
    tsa: `${host('tsa').url}/api/v1/timestamp`,
  });
  let [v1, v2] = [sigstore.rekorV1, sigstore.rekorV2];
  host('fulcio').service = fulcioService(sigstore, clock);
  host('rekorV1').service = rekorV1Service(() => v1, clock);
  host('rekorV2').service = rekorV2Service(() => v2, clock);
  host('tsa').service = tsaService(sigstore.tsa, clock);
  return {
    sigstore,
    requests,
    fault: (service, fault) => host(service).spoil(fault),
    showV1: (log) => {
      v1 = log;
    },
    showV2: (log) => {
      v2 = log;
    },
    stop: (service) => host(service).stop(),
    start: (service) => host(service).start(),
    [Symbol.asyncDispose]: async () => void (await Promise.all(hosts.map(([, server]) => server.stop()))),
  };
}

/** One service on one port; the port stays its own while it is stopped. */
class Host {
  service: Service = () => undefined;
  readonly #name: ServiceName;
  readonly #requests: ServedRequest[];
  #server: Server;
  #port = 0;
  #fault: { readonly fault: Fault; readonly since: number; hits: number } | undefined;

  private constructor(name: ServiceName, requests: ServedRequest[]) {
    this.#name = name;
    this.#requests = requests;
    this.#server = this.#create();
  }

  static async open(name: ServiceName, requests: ServedRequest[]): Promise<Host> {
    const host = new Host(name, requests);
    await host.start();
    return host;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    if (this.#server.listening) return;
    this.#server = this.#create();
    this.#port = Number((await listenOnLoopback(this.#server, this.#port)).split(':')[1]);
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  spoil(fault: Fault | undefined): void {
    this.#fault = fault === undefined ? undefined : { fault, since: Date.now(), hits: 0 };
  }

  #create(): Server {
    return createServer(async (request, response) => {
      const asked = await readRequest(request);
      this.#requests.push({ service: this.#name, method: asked.method, path: request.url ?? '' });
      sendAnswer(response, this.#answer(asked), this.#effect(asked));
    });
  }

  #answer(request: ApiRequest): Answer {
    try {
      return this.service(request) ?? problem(404, 'not found');
    } catch (error) {
      return problem(400, error instanceof Error ? error.message : 'bad request');
    }
  }

  #effect(request: ApiRequest): Fault['effect'] | undefined {
    const current = this.#fault;
    if (current === undefined || current.fault.matches?.(request) === false) return undefined;
    const { requests = Number.POSITIVE_INFINITY, forMs = Number.POSITIVE_INFINITY } = current.fault;
    current.hits += 1;
    return current.hits <= requests && Date.now() - current.since < forMs ? current.fault.effect : undefined;
  }
}

async function readRequest(request: IncomingMessage): Promise<ApiRequest> {
  const url = new URL(request.url ?? '/', 'http://service');
  const { method = 'GET', headers } = request;
  return { method, headers, path: url.pathname, query: url.searchParams, body: await buffer(request) };
}

function wholeSeconds(time: Date): Date {
  return new Date(Math.floor(time.getTime() / 1000) * 1000);
}
