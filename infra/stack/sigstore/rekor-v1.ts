import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { obtain } from '../../tools/obtain.ts';
import { freePorts } from '../ports.ts';
import { type ServerProcess, startServer } from '../process.ts';

/** A transparency log of Rekor's first generation, with its API. */
export interface RekorV1 {
  readonly url: string;
  /** File of the public key, PEM. */
  readonly publicKey: string;
  /** The server itself, without the Trillian behind it. */
  readonly server: ServerProcess;
  stop(): Promise<void>;
}

/** Starts Rekor and the Trillian that keeps its entries, both in memory, with an empty log and a new ECDSA key. */
export async function startRekorV1(dir: string): Promise<RekorV1> {
  const [port, trillianPort] = await freePorts(2);
  if (port === undefined || trillianPort === undefined) throw new Error('expected two free ports');
  const programs = await obtain(['rekor', 'trillian-memory']);
  const trillian = await startServer({
    name: 'trillian',
    program: programs['trillian-memory'],
    args: [`127.0.0.1:${trillianPort}`],
    dir,
    ready: () => accepts(trillianPort),
  });
  const url = `http://127.0.0.1:${port}`;
  try {
    const server = await startServer({
      name: 'rekor-v1',
      program: programs.rekor,
      args: [
        ...['serve', '--rekor_server.address=127.0.0.1', `--port=${port}`, '--rekor_server.signer=memory'],
        ...['--rekor_server.hostname=127.0.0.1', '--enable_retrieve_api=false', '--log_type=prod'],
        ...['--trillian_log_server.address=127.0.0.1', `--trillian_log_server.port=${trillianPort}`],
      ],
      dir,
      ready: async () => (await fetch(`${url}/api/v1/log/publicKey`)).ok,
    });
    const publicKey = join(dir, 'rekor-v1.pub');
    await writeFile(publicKey, await (await fetch(`${url}/api/v1/log/publicKey`)).text());
    return {
      ...{ url, publicKey, server },
      async stop() {
        await server.stop();
        await trillian.stop();
      },
    };
  } catch (error) {
    await trillian.stop();
    throw error;
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
