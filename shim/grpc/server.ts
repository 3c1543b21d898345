import type { Socket } from 'node:net';
import { affordableConnections, Connections } from '../host/connections.ts';
import { listenPrivately } from '../host/socket.ts';
import type { Log } from '../log/log.ts';
import type { VerifierHandlers, VerifierService } from './service.ts';

export interface VerifierServer {
  /** What the health service says from now on. */
  setServing(serving: boolean): void;
  /** Takes no more calls, and cuts the open ones (health watchers stay for ever) after at most `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** More callers at once than a node has; further ones are cut off. */
const MAX_CONNECTIONS = 256;

/** A caller begins to speak at once; a connection that doesn't within this, in ms, has none. */
const PREFACE_MS = 2_000;

/**
 * Serves `portcullis.v1.Verifier` and `portcullis.v1.Node`, health and reflection on a Unix socket. The service is loaded with its
 * first caller: most nodes have none, and it is a large part of what a daemon takes.
 */
export async function serveVerifier(
  socketPath: string,
  handlers: VerifierHandlers,
  log?: Log,
): Promise<VerifierServer> {
  let isServing = false;
  let loading: Promise<VerifierService> | undefined;
  async function load(): Promise<VerifierService> {
    const { createVerifierService } = await import('./service.ts');
    const service = createVerifierService(handlers);
    service.setServing(isServing);
    return service;
  }
  // Connections are accepted here and not by gRPC's server, which can't make its socket anew, nor turn anybody away.
  const connections = new Connections(affordableConnections(MAX_CONNECTIONS));
  const inject = (heard: Socket) => {
    loading ??= load();
    loading.then(
      (service) => service.inject(heard),
      (error: unknown) => {
        log?.error('the gRPC service could not be loaded', { error: String(error) });
        heard.destroy();
      },
    );
  };
  const listener = await listenPrivately(socketPath, {
    ...(log === undefined ? {} : { log }),
    accept(socket) {
      const admittance = connections.admit(socket);
      if (admittance === 'asks') injectOnceHeard(socket, connections, inject);
      else if (admittance === 'refused') socket.destroy();
    },
  });
  return {
    setServing(serving) {
      isServing = serving;
      void loading?.then(
        (service) => service.setServing(isServing),
        () => {},
      );
    },
    async close(graceMs) {
      await listener.close();
      const service = await loading?.catch(() => undefined);
      await service?.close(graceMs);
      connections.cutAll();
    },
  };
}

/** Hands a connection to the server with its first byte; who says nothing costs little, and is cut. */
function injectOnceHeard(socket: Socket, connections: Connections, inject: (socket: Socket) => void): void {
  const timer = setTimeout(() => socket.destroy(), PREFACE_MS).unref();
  socket.once('close', () => clearTimeout(timer));
  socket.once('readable', () => {
    clearTimeout(timer);
    connections.heard(socket);
    if (socket.readableLength > 0) inject(socket);
    else socket.destroy(); // its end
  });
}
