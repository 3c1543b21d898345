import { type ClientRequestArgs, Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import { getCACertificates } from 'node:tls';
import { Agent, buildConnector, type Dispatcher } from 'undici';
import { type ProxyChoice, type ProxyEnvironment, proxyFor } from '../../workflows/format/proxy.ts';
import { MAX_CONNECT_MS } from '../limits.ts';
import { ConnectedHosts } from './connected-hosts.ts';
import { lookupWithin, type Reach } from './destinations.ts';
import { createNameLookup } from './name-lookup.ts';
import { openTunnel } from './proxy-tunnel.ts';

/** What a TLS connection to one endpoint needs besides the system's trust. PEM texts. */
export interface EndpointTls {
  /** Certificate authorities that count beside those of the system. */
  readonly authorities: readonly string[];
  /** Certificates and keys to show; the first that the other end accepts is used. */
  readonly clients: readonly { readonly certificate: string; readonly key: string }[];
  /** Accepts any certificate, because the operator wrote so. */
  readonly skipVerify: boolean;
}

/**
 * The one place that makes connections of a worker to elsewhere: registries, token services, transparency logs, mirrors
 * of trust roots and key managers. All of them look names up in {@link createNameLookup} and use the proxies of
 * {@link proxyFor}.
 */
export interface Connections {
  readonly lookup: LookupFunction;
  /** Whether the host of a URL was reached lately, and at private addresses alone. */
  isPrivate(url: URL): boolean;
  /** How a URL is reached. Throws a ProxySettingError where its proxy is set wrong. */
  proxyOf(url: URL): ProxyChoice;
  /**
   * Makes the connections of requests, tunnels through proxies included, and keeps them for the next ones of the same reach;
   * without `tls`, the system's trust counts. A name that leads to addresses out of reach is not connected to; behind a proxy,
   * the proxy looks names up.
   */
  dispatcher(tls: EndpointTls | undefined, reach: Reach): Dispatcher;
  /** Makes connections to a proxy itself, for requests that it passes on. */
  toProxy(): Dispatcher;
  /** Agents of `node:http` and `node:https`, for clients that bring their own requests. */
  httpAgent(): HttpAgent;
  httpsAgent(): HttpsAgent;
}

/** As many kinds of TLS as a worker has mirrors. */
const MAX_TLS_KINDS = 64;

/** Makes connections by a way of looking names up; `proxies` are the variables that name proxies, none by default. */
export function createConnections(lookup: LookupFunction, proxies: ProxyEnvironment = {}): Connections {
  const connected = new ConnectedHosts();
  const create = (reach: Reach, tls: object = {}): Dispatcher => {
    const connector = buildConnector({ lookup: lookupWithin(lookup, reach), timeout: MAX_CONNECT_MS, ...tls });
    const connect = noting(connected, connector);
    return new Agent({ connect: throughProxies(connect, lookup, proxies), connections: null });
  };
  const usual = {
    ...{ any: create('any'), named: create('named') },
    ...{ neighbour: create('neighbour'), referred: create('referred') },
  };
  const direct = new Agent({ connect: { lookup, timeout: MAX_CONNECT_MS }, connections: null });
  /** By what is in their files: renewed ones are another kind. The one that was used longest ago comes first. */
  const own = new Map<string, Dispatcher>();
  return {
    lookup,
    isPrivate(url) {
      const { host, port } = targetOf(url.protocol, url.hostname, url.port);
      return connected.isPrivate(host, port);
    },
    proxyOf: (url) => proxyFor(targetOf(url.protocol, url.hostname, url.port), proxies),
    toProxy: () => direct,
    dispatcher(tls, reach) {
      if (tls === undefined) return usual[reach];
      const key = JSON.stringify([reach, tls]);
      const dispatcher = own.get(key) ?? create(reach, connectOptions(tls));
      own.delete(key);
      own.set(key, dispatcher);
      const [oldest] = own;
      if (own.size > MAX_TLS_KINDS && oldest !== undefined) {
        own.delete(oldest[0]);
        // Requests that are under way end as usual.
        void oldest[1].close();
      }
      return dispatcher;
    },
    httpAgent: () => new PlainAgent(lookup, proxies),
    httpsAgent: () => new SecureAgent(lookup, proxies),
  };
}

function connectOptions({ authorities, clients, skipVerify }: EndpointTls) {
  return {
    ca: [...getCACertificates('default'), ...authorities],
    cert: clients.map(({ certificate }) => certificate),
    key: clients.map(({ key }) => key),
    rejectUnauthorized: !skipVerify,
  };
}

function targetOf(protocol: string, host: string, port: string) {
  const scheme = protocol === 'https:' ? 'https' : 'http';
  return { scheme, host, port: Number(port || (scheme === 'https' ? 443 : 80)) } as const;
}

function hostPortOf(host: string, port: number | string): string {
  return `${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port}`;
}

/** Notes where direct connections lead; behind a proxy the proxy alone knows. */
function noting(connected: ConnectedHosts, connect: buildConnector.connector): buildConnector.connector {
  return (options, callback) =>
    connect(options, (...result) => {
      const [error, socket] = result;
      const { host, port } = targetOf(options.protocol, options.hostname, options.port);
      if (error === null && options.httpSocket === undefined) connected.add(host, port, socket);
      callback(...result);
    });
}

/** TLS runs inside the tunnel. Requests for `http:` never come here with a proxy: `exchange` gives them to the proxy itself. */
function throughProxies(connect: buildConnector.connector, lookup: LookupFunction, proxies: ProxyEnvironment) {
  const connector: buildConnector.connector = (options, callback) => {
    const target = targetOf(options.protocol, options.hostname, options.port);
    const openAnd = async () => {
      const choice = target.scheme === 'https' ? proxyFor(target, proxies) : { kind: 'direct' as const };
      if (choice.kind === 'direct') return connect(options, callback);
      const httpSocket = await openTunnel(choice, hostPortOf(target.host, target.port), lookup);
      return connect({ ...options, httpSocket }, callback);
    };
    openAnd().catch((error: Error) => callback(error, null));
  };
  return connector;
}

type Connected = (error: Error | null, stream: Duplex) => void;

/** Agents make tunnels for `http:` as well: what is asked there by the clients of key managers is one host. */
function tunnelled(
  scheme: 'http' | 'https',
  { host, port }: ClientRequestArgs,
  lookup: LookupFunction,
  proxies: ProxyEnvironment,
): Promise<Duplex> | undefined {
  const target = targetOf(`${scheme}:`, host ?? 'localhost', String(port ?? ''));
  const choice = proxyFor(target, proxies);
  return choice.kind === 'direct' ? undefined : openTunnel(choice, hostPortOf(target.host, target.port), lookup);
}

class PlainAgent extends HttpAgent {
  readonly #lookup: LookupFunction;
  readonly #proxies: ProxyEnvironment;

  constructor(lookup: LookupFunction, proxies: ProxyEnvironment) {
    super({ keepAlive: true, lookup });
    this.#lookup = lookup;
    this.#proxies = proxies;
  }

  override createConnection(options: ClientRequestArgs, callback?: Connected) {
    const tunnel = tunnelled('http', options, this.#lookup, this.#proxies);
    if (tunnel === undefined) return super.createConnection(options, callback);
    tunnel.then((socket) => callback?.(null, socket), failed(callback));
    return undefined;
  }
}

class SecureAgent extends HttpsAgent {
  readonly #lookup: LookupFunction;
  readonly #proxies: ProxyEnvironment;

  constructor(lookup: LookupFunction, proxies: ProxyEnvironment) {
    super({ keepAlive: true, lookup });
    this.#lookup = lookup;
    this.#proxies = proxies;
  }

  override createConnection(options: ClientRequestArgs, callback?: Connected) {
    const tunnel = tunnelled('https', options, this.#lookup, this.#proxies);
    if (tunnel === undefined) return super.createConnection(options, callback);
    tunnel
      .then((socket) => super.createConnection({ ...options, socket } as ClientRequestArgs))
      .then((secured) => secured && callback?.(null, secured))
      .catch(failed(callback));
    return undefined;
  }
}

/** Node passes a failure on without a stream, which its type does not say. */
function failed(callback: Connected | undefined): (error: Error) => void {
  return (error) => (callback as ((error: Error) => void) | undefined)?.(error);
}

let current: Connections | undefined;

/** The connections of this process; without {@link useConnections}, with the proxies of its environment. */
export function connections(): Connections {
  current ??= createConnections(createNameLookup(), process.env);
  return current;
}

/** Replaces them, for a process with settings of its own; answers what was there before. */
export function useConnections(replacement: Connections): Connections {
  const before = connections();
  current = replacement;
  return before;
}
