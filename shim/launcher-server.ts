import { createServer, type Socket } from 'node:net';
import { SHIM_DEADLINE_MS } from '../workflows/deadlines.ts';
import type { DecisionOptions } from './decide.ts';
import type { Decision, Question } from './decision.ts';
import { toJudgement } from './judgement.ts';
import { parseLauncherArguments } from './launcher-arguments.ts';
import { encodeAllow, encodeRefusal, readLauncherRequest } from './launcher-protocol.ts';
import { listenPrivately } from './socket.ts';

export interface LauncherServer {
  /** Takes no more connections, and cuts the open ones after at most `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** A launcher sends everything it has at once; one that takes longer, in ms, is none. */
const REQUEST_MS = 2_000;

/** A launcher that was answered is gone at once; a connection that stays is cut after this, in ms. */
const LINGER_MS = 2_000;

/** More launchers at once than a node ever pulls images; further ones are cut off, which refuses their pulls. */
const MAX_CONNECTIONS = 1_024;

/** Serves the launcher's socket: containerd runs the launcher as its own user, and nobody else may ask. */
export async function serveLauncher(
  socketPath: string,
  ask: (question: Question, options: DecisionOptions) => Promise<Decision>,
): Promise<LauncherServer> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on('error', () => {}); // the launcher is gone; the decision is logged all the same
    socket.on('close', () => open.delete(socket));
    void answer(socket, ask);
  });
  server.maxConnections = MAX_CONNECTIONS;

  await listenPrivately(
    socketPath,
    () =>
      new Promise<void>((listening, failed) => {
        server.once('error', failed);
        server.listen(socketPath, () => listening());
      }),
  );

  return {
    async close(graceMs) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      const timer = setTimeout(() => {
        for (const socket of open) socket.destroy();
      }, graceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

async function answer(
  socket: Socket,
  ask: (question: Question, options: DecisionOptions) => Promise<Decision>,
): Promise<void> {
  const deadline = Date.now() + SHIM_DEADLINE_MS;
  try {
    const question = await readQuestion(socket);
    if (question !== undefined) {
      const judgement = toJudgement(await ask(question, { deadline }));
      socket.write(judgement.ok ? encodeAllow() : encodeRefusal(judgement.reason));
    }
  } catch (error) {
    socket.write(encodeRefusal(`INTERNAL: ${error instanceof Error ? error.message : String(error)}`));
  }
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once('close', () => clearTimeout(timer)).end();
}

/** `undefined` for a connection that said nothing at all: somebody looked whether the daemon is there. */
async function readQuestion(socket: Socket): Promise<Question | undefined> {
  try {
    return parseLauncherArguments(await readLauncherRequest(socket, { signal: AbortSignal.timeout(REQUEST_MS) }));
  } catch (error) {
    if (socket.bytesRead === 0) return undefined;
    return { ok: false, sentence: error instanceof Error ? error.message : 'the launcher sent something unreadable' };
  }
}
