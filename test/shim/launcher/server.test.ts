import assert from 'node:assert/strict';
import { once } from 'node:events';
import { lstat } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Decision, type Question, refuseAtOnce } from '../../../shim/decision.ts';
import { affordableConnections } from '../../../shim/host/connections.ts';
import { type LauncherServer, serveLauncher } from '../../../shim/launcher/server.ts';
import { SHIM_DEADLINE_MS } from '../../../workflows/verdict/deadlines.ts';
import { encodeQuestion, encodeRequest, MAGIC } from '../../support/launcher-request.ts';
import { pullThrough } from '../../support/pull.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { digestOf } from '../../support/verdicts.ts';

const DIGEST = digestOf('ab');
const NAME = 'a.example/b:v1';
const QUESTION = encodeQuestion(NAME, DIGEST);
const MOST = affordableConnections(1_024);

const no = (sentence: string): Decision => refuseAtOnce({ code: 'UNSIGNED', sentence });

/** A client that reads on, and what it heard. */
interface Client {
  readonly socket: Socket;
  /** Everything that was heard until the other end closed or cut. */
  readonly answer: Promise<string>;
  /** Whether that has happened. */
  readonly over: () => boolean;
}

interface Served extends AsyncDisposable {
  readonly path: string;
  readonly server: LauncherServer;
  /** Opens a connection, and sends these bytes. */
  open(bytes?: Uint8Array): Promise<Client>;
}

/** A server that answers no, or what `ask` says. */
async function serve(
  ask: (question: Question, options: { readonly deadline?: number }) => Promise<Decision> = async (question) =>
    no(question.ok ? 'heard' : question.sentence),
): Promise<Served> {
  const folder = await temporaryFolder();
  const path = join(folder.path, 'launcher.sock');
  const server = await serveLauncher(path, ask);
  const opened: Socket[] = [];
  return {
    ...{ path, server },
    async open(bytes) {
      const socket = await connectTo(path);
      opened.push(socket);
      if (bytes !== undefined) socket.write(bytes);
      return listenTo(socket);
    },
    async [Symbol.asyncDispose]() {
      for (const socket of opened) socket.destroy();
      await server.close(0);
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** As the launcher does: a queue that is full is waited for. */
async function connectTo(path: string): Promise<Socket> {
  for (;;) {
    const socket = connect({ path, allowHalfOpen: true });
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      assert.match(String(error), /EAGAIN/);
      await delay(5);
    }
  }
}

function listenTo(socket: Socket): Client {
  let text = '';
  let isOver = false;
  const answer = new Promise<string>((resolve) => {
    const end = () => {
      isOver = true;
      resolve(text);
    };
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket
      .on('error', () => {})
      .on('end', end)
      .on('close', end);
  });
  return { socket, answer, over: () => isOver };
}

async function openMany(served: Served, count: number, bytes?: Uint8Array): Promise<readonly Client[]> {
  const clients: Client[] = [];
  while (clients.length < count) {
    const some = Math.min(100, count - clients.length);
    clients.push(...(await Promise.all(Array.from({ length: some }, () => served.open(bytes)))));
  }
  return clients;
}

async function assertHeard(served: Served): Promise<void> {
  const run = await pullThrough(served.path, NAME, DIGEST);
  assert.deepEqual([run.exitCode, run.stdout], [1, 'UNSIGNED: heard\n']);
}

describe('connections that say nothing', () => {
  it('make room for launchers, the oldest first', async () => {
    await using served = await serve();
    const silent = await openMany(served, MOST + 500);
    await assertHeard(served);
    const cut = silent.filter((client) => client.over());
    assert.ok(cut.length >= 500, `${cut.length} cut`);
    assert.ok(silent[0]?.over() === true && silent.at(-1)?.over() === false);
  });

  it('are cut in time, half-open or not, and so is who sends a byte now and then', async () => {
    await using served = await serve();
    const silent = await served.open();
    const halfOpen = await served.open();
    halfOpen.socket.end();
    const slow = await served.open(MAGIC.subarray(0, 3));
    const dripping = setTimeout(() => slow.socket.write(MAGIC.subarray(3, 4)), 700);
    assert.deepEqual([await silent.answer, await halfOpen.answer], ['', '']);
    assert.match(await slow.answer, /^refuse\nUNSIGNED: launcher request: no end after 4 bytes in the time given\n$/);
    clearTimeout(dripping);
  });
});

describe('garbage', () => {
  it('is refused at its first byte and cut after as much as a request may have', async () => {
    await using served = await serve();
    const zeros = Buffer.alloc(65_536);
    for (const begin of [zeros, encodeRequest([], Buffer.alloc(100))]) {
      const { socket, answer } = await served.open(begin);
      let sent = 0;
      for (; !socket.destroyed && sent < 64 * 1024 * 1024; sent += zeros.length) {
        if (!socket.write(zeros)) await new Promise((more) => socket.once('drain', more).once('close', more));
      }
      assert.match(await answer, /^refuse\nUNSIGNED: launcher request: expected [^\n]+\n$/);
      assert.ok(sent < 8 * 1024 * 1024, `${sent} bytes`);
    }
    await assertHeard(served);
  });

  it('that could become requests is bounded in total: the largest are cut', async () => {
    await using served = await serve();
    const unfinished = encodeRequest([], Buffer.alloc(1024 * 1024)).subarray(0, 1024 * 1024);
    const small = await served.open(QUESTION);
    const large = await openMany(served, 60, unfinished);
    await assertHeard(served);
    while (large.filter((client) => client.over()).length < 60 - 33) await delay(10);
    small.socket.end();
    assert.equal(await small.answer, 'refuse\nUNSIGNED: heard\n');
  });
});

describe('a full house', () => {
  it('says so to the newest, who may pull again, when all others are being answered', async () => {
    const end = Promise.withResolvers<Decision>();
    let asked = 0;
    await using served = await serve((): Promise<Decision> => {
      asked++;
      return end.promise;
    });
    const running = await openMany(served, MOST, QUESTION);
    for (const { socket } of running) socket.end();
    while (asked < MOST) await delay(5);
    const refused = await pullThrough(served.path, NAME, DIGEST);
    assert.match(refused.stdout, /^SHIM_BUSY: [^\n]+; pull again\n$/);
    const more = await openMany(served, 200);
    await Promise.all(more.map((client) => client.answer));
    end.resolve(no('at last'));
    const answers = new Set(await Promise.all(running.map((client) => client.answer)));
    assert.deepEqual([...answers], ['refuse\nUNSIGNED: at last\n']);
  });
});

describe('connections that were answered and stay', () => {
  it('make room for launchers, whatever they sent', async () => {
    await using served = await serve();
    const garbage = await openMany(served, MOST, Buffer.from('garbage'));
    assert.equal(garbage.length, MOST);
    while (garbage.some((client) => !client.over())) await delay(5);
    await assertHeard(served);
  });
});

describe('the deadline of a question', () => {
  it('is earlier for whoever may have waited for the socket', async () => {
    const patience: number[] = [];
    await using served = await serve(async (_question, { deadline = 0 }) => {
      patience.push(deadline - Date.now());
      return no('heard');
    });
    await assertHeard(served);
    await delay(600);
    await assertHeard(served);
    const [early = 0, later = 0] = patience;
    assert.ok(early <= SHIM_DEADLINE_MS - 2_500, `${early} ms`);
    assert.ok(later > SHIM_DEADLINE_MS - 2_500 && later <= SHIM_DEADLINE_MS, `${later} ms`);
  });
});

describe('a server that stops listening', () => {
  it('answers who is connected, and leaves new launchers to the next one', async () => {
    const end = Promise.withResolvers<Decision>();
    const asked = Promise.withResolvers<void>();
    await using served = await serve(() => {
      asked.resolve();
      return end.promise;
    });
    const running = pullThrough(served.path, NAME, DIGEST);
    await asked.promise;
    await served.server.stopListening();
    await assert.rejects(lstat(served.path), /ENOENT/);
    const waiting = pullThrough(served.path, NAME, DIGEST);
    await delay(200);
    end.resolve(no('by the first'));
    assert.equal((await running).stdout, 'UNSIGNED: by the first\n');
    const next = await serveLauncher(served.path, async () => no('by the next'));
    assert.equal((await waiting).stdout, 'UNSIGNED: by the next\n');
    await next.close(0);
  });
});

describe('the share of file descriptors', () => {
  it('of a front leaves enough for everything else, and is never nothing', () => {
    assert.equal(affordableConnections(1_024, 524_288), 1_024);
    assert.equal(affordableConnections(1_024, 1_024), 384);
    assert.equal(affordableConnections(256, 1_024), 256);
    assert.equal(affordableConnections(1_024, 64), 16);
    assert.equal(affordableConnections(1_024, Number.POSITIVE_INFINITY), 1_024);
  });
});
