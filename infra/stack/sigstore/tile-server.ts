import { createReadStream } from 'node:fs';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { listenOnLoopback } from '../../../test/support/loopback.ts';
import { closeServer } from './close-server.ts';

/** What the paths of C2SP tlog-tiles are made of; nothing in them leads out of the folder. */
const TILE_PATH = /^\/(?:api\/v2\/)?(checkpoint|tile\/(?:entries|\d+)(?:\/x?\d{3})+(?:\.p\/\d+)?)$/;

export interface TileServerOptions {
  /** The folder that is read. */
  readonly tiles: string;
  /** URL of the server that takes entries. */
  readonly writer: string;
}

/** A log's front. */
export interface TileServer {
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * The front of a Rekor that keeps its tiles in a folder: it takes entries and leaves reading to a file server. Runs in
 * this process, on loopback.
 */
export async function startTileServer({ tiles, writer }: TileServerOptions): Promise<TileServer> {
  const server = createServer((incoming, response) => {
    if (incoming.method === 'POST') {
      forward(writer, incoming, response);
      return;
    }
    const [, path] = TILE_PATH.exec(incoming.url ?? '') ?? [];
    if (path === undefined) response.writeHead(404).end();
    else send(join(tiles, path), response);
  });
  const url = `http://${await listenOnLoopback(server)}`;
  return {
    url,
    stop: () => closeServer(server),
  };
}

function send(file: string, response: ServerResponse): void {
  const content = createReadStream(file);
  content.once('error', () => response.writeHead(404).end());
  content.once('open', () => pipeline(content, response, () => {}));
}

function forward(writer: string, incoming: IncomingMessage, response: ServerResponse): void {
  const { method, headers } = incoming;
  const outgoing = request(`${writer}${incoming.url}`, { method, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    pipeline(answer, response, () => {});
  });
  outgoing.once('error', () => {
    if (response.headersSent) response.destroy();
    else response.writeHead(502).end();
  });
  pipeline(incoming, outgoing, () => {});
}
