import { createServer, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { listenOnLoopback } from '../../support/loopback.ts';

/** What the mirror does instead of serving its files. */
export type MirrorFault = 'error' | 'garbage' | 'trickle' | 'silent' | 'flood' | 'bomb' | 'reset';

export interface TufServer {
  readonly url: URL;
  /** Paths asked for, in order. */
  readonly asked: string[];
  fault: MirrorFault | undefined;
  stop(): Promise<void>;
}

/** Serves files of a TUF repository over plain HTTP on loopback. */
export async function startTufServer(files: ReadonlyMap<string, Uint8Array>): Promise<TufServer> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '').slice(1));
    asked.push(path);
    if (made.fault !== undefined) void misbehave(made.fault, response);
    else {
      const bytes = files.get(path);
      response.writeHead(bytes === undefined ? 404 : 200).end(bytes);
    }
  });
  const url = new URL(`http://${await listenOnLoopback(server)}`);
  const made: TufServer = {
    url,
    asked,
    fault: undefined,
    async stop() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
  return made;
}

/** 64 MiB in 64 KiB. */
const BOMB = gzipSync(Buffer.alloc(64 * 1024 * 1024, ' '));

async function misbehave(fault: MirrorFault, response: ServerResponse): Promise<void> {
  switch (fault) {
    case 'error':
      response.writeHead(500).end('{"error":"no"}');
      return;
    case 'garbage':
      response.writeHead(200).end('\u0000<html>');
      return;
    case 'reset':
      response.destroy();
      return;
    case 'silent':
      return;
    case 'bomb':
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(BOMB);
      return;
    case 'flood': {
      response.writeHead(200);
      const block = Buffer.alloc(1024 * 1024, '{');
      while (response.writable && !response.destroyed) if (!response.write(block)) await sleep(1);
      return;
    }
    case 'trickle':
      response.writeHead(200);
      while (response.writable && !response.destroyed) {
        response.write('{');
        await sleep(1000, undefined, { ref: false });
      }
  }
}
