import { createSocket } from 'node:dgram';
import { once } from 'node:events';

export interface TestNameServer {
  /** `127.0.0.1:port` */
  readonly address: string;
  /** Names that were asked for, in order. */
  readonly asked: readonly string[];
  stop(): Promise<void>;
}

/** What it says of a name: these addresses, that there is no such name, or nothing at all. */
export type NameAnswer = readonly string[] | 'absent' | 'silence';

/** Starts a DNS server on a loopback UDP port (RFC 1035) that knows IPv4 addresses. */
export async function startNameServer(answerOf: (name: string) => NameAnswer): Promise<TestNameServer> {
  const socket = createSocket('udp4');
  const asked: string[] = [];
  socket.on('message', (query, { port, address }) => {
    const { name, end } = readName(query);
    const type = query.readUInt16BE(end);
    if (type === 1) asked.push(name);
    const found = answerOf(name);
    if (found !== 'silence')
      socket.send(reply(query.subarray(0, end + 4), type === 1 ? found : noData(found)), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    address: `127.0.0.1:${socket.address().port}`,
    asked,
    async stop() {
      socket.close();
      await once(socket, 'close');
    },
  };
}

function noData(found: NameAnswer): NameAnswer {
  return found === 'absent' ? found : [];
}

function readName(query: Buffer): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}

function reply(question: Buffer, found: NameAnswer): Buffer {
  const addresses = typeof found === 'string' ? [] : found;
  const head = Buffer.from(question);
  head.writeUInt16BE(found === 'absent' ? 0x8183 : 0x8180, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(addresses.length, 6);
  head.writeUInt32BE(0, 8);
  const records = addresses.map((address) =>
    Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address.split('.').map(Number)]),
  );
  return Buffer.concat([head, ...records]);
}
