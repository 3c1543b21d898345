import { Agent as HttpAgent } from 'node:http';
import { type AgentOptions, Agent as HttpsAgent } from 'node:https';
import type { LookupFunction } from 'node:net';
import { Agent, EnvHttpProxyAgent } from 'undici';
import { MAX_CONNECT_MS } from '../limits.ts';
import { createNameLookup } from './name-lookup.ts';

/**
 * The one place that makes connections of a worker to elsewhere: registries, token services, transparency logs, mirrors
 * of trust roots and key managers. All of them look names up in {@link createNameLookup}.
 */
export interface Connections {
  readonly lookup: LookupFunction;
  /** For `fetch`; honours the proxies of the environment where Node itself would (`NODE_USE_ENV_PROXY=1`). */
  readonly dispatcher: FetchDispatcher;
  /** Agents of `node:http` and `node:https`, for clients that bring their own requests and for a TLS of their own. */
  httpAgent(): HttpAgent;
  httpsAgent(options?: AgentOptions): HttpsAgent;
}

type FetchDispatcher = NonNullable<RequestInit['dispatcher']>;

/** Makes connections by a way of looking names up. */
export function createConnections(lookup: LookupFunction): Connections {
  const options = { connect: { lookup, timeout: MAX_CONNECT_MS }, connections: null };
  const usesProxies = process.env['NODE_USE_ENV_PROXY'] === '1';
  return {
    lookup,
    // The types of Node's own fetch describe another release of the same library; a test sends a request through it.
    dispatcher: (usesProxies ? new EnvHttpProxyAgent(options) : new Agent(options)) as unknown as FetchDispatcher,
    httpAgent: () => new HttpAgent({ keepAlive: true, lookup }),
    httpsAgent: (own) => new HttpsAgent({ keepAlive: true, lookup, ...own }),
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
