import { once } from 'node:events';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { listenOnLoopback } from './loopback.ts';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: string;
}
export type Reply = { readonly status?: number; readonly headers?: Record<string, string>; readonly body?: string };

/** A server that answers as it is told, and what it was asked. */
export async function startScriptedServer(t: TestContext, reply: (asked: Asked, address: string) => Reply) {
  const asked: Asked[] = [];
  const listener = createServer((incoming, response) => {
    void text(incoming).then((body) => {
      const { method = '', url: path = '', headers } = incoming;
      const request = { method, path, authorization: headers.authorization, body };
      asked.push(request);
      const { status = 200, headers: more = {}, body: answer = '' } = reply(request, address);
      response.writeHead(status, more).end(answer);
    });
  });
  const address = await listenOnLoopback(listener);
  t.after(async () => {
    listener.closeAllConnections();
    listener.close();
    await once(listener, 'close');
  });
  return { address, asked };
}
