import { Agent as HttpAgent } from 'node:http';
import { type AgentOptions, Agent as HttpsAgent } from 'node:https';
import type { LookupFunction } from 'node:net';
import { getCACertificates } from 'node:tls';
import { Agent, type Dispatcher, EnvHttpProxyAgent } from 'undici';
import { MAX_CONNECT_MS } from '../limits.ts';
import { lookupWithin, type Reach } from './destinations.ts';
import { createNameLookup } from './name-lookup.ts';

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
 * of trust roots and key managers. All of them look names up in {@link createNameLookup}.
 */
export interface Connections {
  readonly lookup: LookupFunction;
  /**
   * Makes the connections of requests, and keeps them for the next ones of the same reach; without `tls`, the system's trust counts. A name
   * that leads to addresses out of reach is not connected to.
   */
  dispatcher(tls: EndpointTls | undefined, reach: Reach): Dispatcher;
  /** Agents of `node:http` and `node:https`, for clients that bring their own requests. */
  httpAgent(): HttpAgent;
  httpsAgent(options?: AgentOptions): HttpsAgent;
}

/** As many kinds of TLS as a worker has mirrors. */
const MAX_TLS_KINDS = 64;

/** Makes connections by a way of looking names up. */
export function createConnections(lookup: LookupFunction): Connections {
  const usesProxies = process.env['NODE_USE_ENV_PROXY'] === '1';
  const create = (reach: Reach, tls: object = {}): Dispatcher => {
    const connect = { lookup: lookupWithin(lookup, reach), timeout: MAX_CONNECT_MS, ...tls };
    const options = { connect, connections: null };
    return usesProxies ? new EnvHttpProxyAgent(options) : new Agent(options);
  };
  const usual = { any: create('any'), named: create('named'), referred: create('referred') };
  /** By what is in their files: renewed ones are another kind. The one that was used longest ago comes first. */
  const own = new Map<string, Dispatcher>();
  return {
    lookup,
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
    httpAgent: () => new HttpAgent({ keepAlive: true, lookup }),
    httpsAgent: (options) => new HttpsAgent({ keepAlive: true, lookup, ...options }),
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

let current: Connections | undefined;

/** The connections of this process. */
export function connections(): Connections {
  current ??= createConnections(createNameLookup());
  return current;
}

/** Replaces them, for tests that have a name server of their own; answers what was there before. */
export function useConnections(replacement: Connections): Connections {
  const before = connections();
  current = replacement;
  return before;
}
