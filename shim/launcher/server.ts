import type { Socket } from 'node:net';
import { SHIM_DEADLINE_MS } from '../../workflows/verdict/deadlines.ts';
import type { Decision, Question } from '../decision.ts';
import type { DecisionOptions } from '../gate/decide.ts';
import { affordableConnections, Connections } from '../host/connections.ts';
import { listenPrivately } from '../host/socket.ts';
import { toJudgement } from '../judgement.ts';
import type { Log } from '../log/log.ts';
import { messageOf } from '../log/message-of.ts';
import { parseLauncherArguments } from './arguments.ts';
import { encodeAllow, encodeRefusal, MAX_REQUEST_BYTES, readLauncherRequest } from './protocol.ts';

export interface LauncherServer {
  /** Takes the socket away: new launchers wait for the next daemon, connected ones are answered. */
  stopListening(): Promise<void>;
  /** Takes no more connections, and cuts the open ones after at most `graceMs`. */
  close(graceMs: number): Promise<void>;
}

type Ask = (question: Question, options: DecisionOptions) => Promise<Decision>;

/** A launcher sends everything it has at once; one that takes longer, in ms, is none. */
const REQUEST_MS = 2_000;

/** A launcher that was answered is gone at once; a connection that stays is cut after this, in ms. */
const LINGER_MS = 2_000;

/** More launchers at once than a node ever pulls images. */
const MAX_CONNECTIONS = 1_024;

/** How long a launcher waits for a daemon, in ms (`launcher/portcullis-verifier.c`): that time is gone when it asks. */
const PATIENCE_MS = 2_500;

/** For so long after the socket came to be, in ms, a launcher may be one that waited for it. */
const WAITERS_COME_MS = 500;

/** Serves the launcher's socket: containerd runs the launcher as its own user, and nobody else may ask. */
export async function serveLauncher(socketPath: string, ask: Ask, log?: Log): Promise<LauncherServer> {
  const connections = new Connections(affordableConnections(MAX_CONNECTIONS));
  const listener = await listenPrivately(socketPath, {
    ...{ allowHalfOpen: true, ...(log === undefined ? {} : { log }) },
    accept(socket, ageMs) {
      const deadline = Date.now() + SHIM_DEADLINE_MS - (ageMs < WAITERS_COME_MS ? PATIENCE_MS : 0);
      const admittance = connections.admit(socket);
      if (admittance === 'asks') void answer(socket, connections, ask, deadline);
      else if (admittance === 'refused') leave(socket, encodeRefusal(FULL));
    },
  });
  let stopping: Promise<void> | undefined;
  const stopListening = () => (stopping ??= listener.close());
  return {
    stopListening,
    async close(graceMs) {
      await stopListening();
      const timer = setTimeout(() => connections.cutAll(), graceMs);
      await connections.emptied();
      clearTimeout(timer);
    },
  };
}

const FULL = 'SHIM_BUSY: as many pulls ask the portcullis shim as it can hear at once; pull again';

async function answer(socket: Socket, connections: Connections, ask: Ask, deadline: number): Promise<void> {
  try {
    const question = await readQuestion(socket, connections);
    connections.heard(socket);
    const judgement = question === undefined ? undefined : toJudgement(await ask(question, { deadline }));
    if (judgement === undefined) leave(socket);
    else leave(socket, judgement.ok ? encodeAllow() : encodeRefusal(judgement.reason));
  } catch (error) {
    leave(socket, encodeRefusal(`INTERNAL: ${messageOf(error)}`));
  }
  connections.leaves(socket);
}

/** Says the last word, and cuts the connection when the other end doesn't, or sends more than any launcher has. */
function leave(socket: Socket, word?: Uint8Array): void {
  const most = socket.bytesRead + MAX_REQUEST_BYTES;
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.on('data', () => {
    if (socket.bytesRead > most) socket.destroy();
  });
  socket.once('close', () => clearTimeout(timer));
  if (word !== undefined) socket.write(word);
  socket.end();
}

/** `undefined` for a connection that said nothing at all: somebody looked whether the daemon is there. */
async function readQuestion(socket: Socket, connections: Connections): Promise<Question | undefined> {
  const tooLong = new AbortController();
  const timer = setTimeout(() => tooLong.abort(), REQUEST_MS);
  const onKept = (bytes: number) => connections.keeps(socket, bytes);
  try {
    return parseLauncherArguments(await readLauncherRequest(socket, { signal: tooLong.signal, onKept }));
  } catch (error) {
    if (socket.bytesRead === 0) return undefined;
    return { ok: false, sentence: error instanceof Error ? error.message : 'the launcher sent something unreadable' };
  } finally {
    clearTimeout(timer);
  }
}
