import { createServer, type Socket } from 'node:net';
import { type Decision, type PullRequest, refuseRequest } from './decision.ts';
import { toJudgement } from './judgement.ts';
import { parseLauncherArguments } from './launcher-arguments.ts';
import { encodeAllow, encodeRefusal, readLauncherRequest } from './launcher-protocol.ts';
import { listenPrivately } from './socket.ts';

export interface LauncherServer {
  /** Refuses new pulls, lets the running ones end for at most `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

/** A launcher sends everything it has at once; one that takes longer, in ms, is none. */
const REQUEST_MS = 2_000;

/** More launchers at once than a node ever pulls images; the next one is told to come back. */
const MAX_CONNECTIONS = 1_024;

/**
 * Serves the launcher's socket, mode 0600: containerd runs the launcher as its own user, and nobody else may ask.
 * `decide` is asked for well-formed pulls only.
 */
export async function serveLauncher(
  socketPath: string,
  decide: (request: PullRequest | Decision) => Promise<Decision>,
): Promise<LauncherServer> {
  const running = new Set<Socket>();
  let stopping = false;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {}); // the launcher is gone; the decision is logged all the same
    if (stopping)
      return void socket.end(encodeRefusal('SHIM_STOPPING: the portcullis shim is being restarted; pull again'));
    running.add(socket);
    socket.on('close', () => running.delete(socket));
    void answer(socket);
  });
  server.maxConnections = MAX_CONNECTIONS;

  async function answer(socket: Socket): Promise<void> {
    try {
      const judgement = toJudgement(await decide(await readPull(socket)));
      socket.end(judgement.ok ? encodeAllow() : encodeRefusal(judgement.reason));
    } catch (error) {
      socket.end(encodeRefusal(`INTERNAL: ${error instanceof Error ? error.message : String(error)}`));
    }
  }

  await listenPrivately(
    () =>
      new Promise<void>((listening, failed) => {
        server.once('error', failed);
        server.listen(socketPath, () => listening());
      }),
  );

  return {
    async stop(graceMs) {
      stopping = true;
      const deadline = Date.now() + graceMs;
      while (running.size > 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
      for (const socket of running) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
}

async function readPull(socket: Socket): Promise<PullRequest | Decision> {
  try {
    const request = await readLauncherRequest(socket, { signal: AbortSignal.timeout(REQUEST_MS) });
    const parsed = parseLauncherArguments(request);
    return parsed.ok ? parsed.request : refuseRequest(parsed.sentence);
  } catch (error) {
    return refuseRequest(error instanceof Error ? error.message : 'the launcher sent something unreadable');
  }
}
