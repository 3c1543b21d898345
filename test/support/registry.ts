import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { listenOnLoopback } from './loopback.ts';
import { type RegistryAuth, RegistryGuard } from './registry-auth.ts';
import { type Effect, type Fault, sendAnswer } from './registry-fault.ts';
import { type ReferrersMode, RegistryStore } from './registry-store.ts';

export interface FakeRegistryOptions {
  readonly referrers?: ReferrersMode;
  readonly auth?: RegistryAuth;
  /** A port that was used before, for a registry that comes back; otherwise a free one. */
  readonly port?: number;
}

/** A request that arrived, in order. */
export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
}

export interface FakeRegistry {
  /** `127.0.0.1:port` */
  readonly address: string;
  readonly requests: readonly RecordedRequest[];
  readonly store: RegistryStore;
  setFault(fault: Fault | undefined): void;
  revokeTokens(): void;
  stop(): Promise<void>;
}

/**
 * Starts an OCI registry inside this process, on 127.0.0.1 and in memory. It can be pushed to and pulled from by real
 * clients, and it can be made to fail as real registries do and as they never should.
 */
export async function startFakeRegistry(options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
  const store = new RegistryStore(options.referrers ?? 'api');
  const guard = new RegistryGuard(options.auth ?? { kind: 'none' });
  const requests: RecordedRequest[] = [];
  let effectOf = noEffect;
  const server = createServer((incoming, response) => {
    void answer(incoming).then(
      ([reply, effect]) => sendAnswer(response, reply, effect),
      (error: unknown) => response.destroy(error instanceof Error ? error : undefined),
    );
  });
  const address = await listenOnLoopback(server, options.port);

  async function answer(incoming: IncomingMessage) {
    const { method = 'GET', url: path = '/', headers } = incoming;
    requests.push({ method, path, authorization: headers.authorization });
    const effect = effectOf({ method, path });
    const url = new URL(path, `http://${address}`);
    const request = { method, url, headers, body: await buffer(incoming) };
    if (url.pathname === '/token') return [guard.issue(request), effect] as const;
    return [guard.check(request, address) ?? store.answer(request), effect] as const;
  }

  return {
    address,
    requests,
    store,
    setFault(fault) {
      effectOf = fault === undefined ? noEffect : armed(fault);
    },
    revokeTokens: () => guard.revokeTokens(),
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

type EffectOf = (request: { readonly method: string; readonly path: string }) => Effect | undefined;

const noEffect: EffectOf = () => undefined;

function armed(fault: Fault): EffectOf {
  const end = fault.forMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + fault.forMs;
  let left = fault.requests ?? Number.POSITIVE_INFINITY;
  return (request) => {
    if (fault.matches?.(request) === false || Date.now() >= end || left <= 0) return undefined;
    left--;
    return fault.effect;
  };
}
