import { connect, type Socket } from 'node:net';
import { createServer, type TlsOptions } from 'node:tls';
import { listenOnLoopback } from './loopback.ts';
import { type Certificate, EKU, issue, issueRoot, type Window } from './virtual-sigstore/ca.ts';
import { oid, sequence } from './virtual-sigstore/der.ts';
import { createKeyPair } from './virtual-sigstore/key-pair.ts';

const HOUR_MS = 3_600_000;
const NOW: Window = { from: new Date(Date.now() - HOUR_MS), until: new Date(Date.now() + HOUR_MS) };

/** Subject alternative names, DER: an IPv4 address of loopback, or a DNS name. */
const LOOPBACK_NAME = Buffer.from('87047f000001', 'hex');
const dnsName = (name: string) => Buffer.concat([Buffer.from([0x82, name.length]), Buffer.from(name)]);
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

/** A certificate and its key as PEM. */
export interface PemPair {
  readonly cert: string;
  readonly key: string;
}

/** An authority of a private network, and what it issues. */
export interface TlsAuthority {
  readonly pem: string;
  /** For 127.0.0.1, or for a DNS name. */
  server(name?: string): PemPair;
  client(commonName: string, window?: Window): PemPair;
}

export function createTlsAuthority(commonName = 'authority'): TlsAuthority {
  const root = issueRoot(commonName, NOW, 'ECDSA P-256');
  const leaf = (name: string, use: string, window: Window, alternative: Buffer): PemPair => {
    const extensions = [
      { id: '2.5.29.17', critical: false, value: sequence(alternative) },
      { id: '2.5.29.37', critical: false, value: sequence(oid(use)) },
    ];
    return pairOf(issue(root, createKeyPair(), { commonName: name, window, extensions }));
  };
  return {
    pem: root.pem,
    server: (name) => leaf('server', EKU.serverAuth, NOW, name === undefined ? LOOPBACK_NAME : dnsName(name)),
    client: (name, window = NOW) => leaf(name, CLIENT_AUTH, window, dnsName(name)),
  };
}

/** A time that is over, and one that has not begun. */
export const PAST: Window = { from: new Date(Date.now() - 2 * HOUR_MS), until: new Date(Date.now() - HOUR_MS) };
export const FUTURE: Window = { from: new Date(Date.now() + HOUR_MS), until: new Date(Date.now() + 2 * HOUR_MS) };

function pairOf({ pem, key }: Certificate): PemPair {
  return { cert: pem, key: key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

/** TLS before a server that speaks without it, such as a development server of Temporal. */
export interface TlsRelay {
  /** `127.0.0.1:port` */
  readonly address: string;
  /** Common names of the clients' certificates, in the order in which they came; `''` for a client without one. */
  readonly clients: readonly string[];
  /** From the next connection on. */
  use(options: TlsOptions): void;
  /** Ends every connection, as a server that restarts does. */
  cutAll(): void;
  stop(): Promise<void>;
}

/** Starts the relay to `target` (`host:port`); with `ca` in its options a client needs a certificate of that authority. */
export async function startTlsRelay(target: string, options: TlsOptions): Promise<TlsRelay> {
  const clients: string[] = [];
  const sockets = new Set<Socket>();
  const [host = '', port] = target.split(':');
  const asked = (given: TlsOptions): TlsOptions => ({
    ...given,
    ALPNProtocols: ['h2'],
    ...(given.ca !== undefined && { requestCert: true, rejectUnauthorized: true }),
  });
  const server = createServer(asked(options), (front) => {
    clients.push(String(front.getPeerCertificate().subject?.CN ?? ''));
    const back = connect({ host, port: Number(port) });
    for (const [one, other] of [
      [front, back],
      [back, front],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
      one.pipe(other);
    }
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {}); // a client that does not like this server's certificate
  });
  const address = await listenOnLoopback(server);
  const cutAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    ...{ address, clients, cutAll },
    use: (next) => server.setSecureContext(asked(next)),
    async stop() {
      cutAll();
      await new Promise((closed) => server.close(closed));
    },
  };
}
