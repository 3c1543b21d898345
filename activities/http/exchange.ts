import type { Readable } from 'node:stream';
import { request as send } from 'undici';
import { decodeBody } from './body-encoding.ts';
import { connections, type EndpointTls } from './connections.ts';
import type { Reach } from './destinations.ts';
import { HttpFault } from './http-fault.ts';

/** One request of any client of a worker. */
export interface Exchange {
  readonly url: URL;
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly headers: Headers;
  readonly body?: string | undefined;
  /** How to recognise the other end, and be recognised; without it as the system does. */
  readonly tls?: EndpointTls | undefined;
  /** Which addresses it may go to; without it, any: an operator named the host. */
  readonly reach?: Reach | undefined;
  /** Ends the request and its body. */
  readonly signal: AbortSignal;
}

/**
 * Sends one request and answers what came back, a redirect included; the body is decoded as it is read. It is not
 * Node's `fetch`, which refuses ports that a registry may have (6000, 10080) and trusts the system alone. Throws an
 * {@link HttpFault} for an answer that is not HTTP, and the errors of the system.
 */
export async function exchange({
  url,
  method,
  headers,
  body,
  tls,
  reach = 'any',
  signal,
}: Exchange): Promise<Response> {
  const answer = await send(url, {
    ...{ method, signal, headers: [...headers].flat(), dispatcher: connections().dispatcher(tls, reach) },
    ...(body !== undefined && { body }),
  });
  const { statusCode: status } = answer;
  try {
    if (status < 200 || status > 599) throw new HttpFault('STATUS_UNKNOWN');
    const received = receivedHeaders(answer.headers);
    if (method === 'HEAD' || status === 204 || status === 205 || status === 304) {
      await answer.body.dump({ limit: 0, signal });
      return new Response(null, { status, headers: received });
    }
    const decoded = decodeBody(answer.body, received.get('content-encoding'));
    return new Response(webStream(decoded), { status, headers: received });
  } catch (error) {
    answer.body.on('error', () => undefined).destroy();
    throw error;
  }
}

function receivedHeaders(given: Readonly<Record<string, string | string[] | undefined>>): Headers {
  const headers = new Headers();
  for (const [name, values] of Object.entries(given)) {
    for (const value of [values ?? []].flat()) {
      // A header is bytes; text beyond ASCII has no place in the type, and none of it is ours to judge.
      headers.append(name, Buffer.from(value, 'utf8').toString('latin1'));
    }
  }
  return headers;
}

/** Reads what is asked for. `Readable.toWeb` fails when a stream is cancelled while it ends. */
function webStream(stream: Readable): ReadableStream<Uint8Array> {
  // An error before the first read waits for it; without a listener it would end the process.
  const chunks: AsyncIterator<Uint8Array> = stream.on('error', () => undefined)[Symbol.asyncIterator]();
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      cancel() {
        stream.on('error', () => undefined).destroy();
      },
    },
    { highWaterMark: 0 },
  );
}
