import { request as httpRequest } from 'node:http';
import { createServer } from 'node:https';
import type { TestContext } from 'node:test';
import { listenOnLoopback } from './loopback.ts';
import { type Certificate, EKU, issue, issueRoot } from './virtual-sigstore/ca.ts';
import { oid, sequence } from './virtual-sigstore/der.ts';
import { createKeyPair } from './virtual-sigstore/key-pair.ts';

const YEAR = { from: new Date(Date.now() - 3_600_000), until: new Date(Date.now() + 3_600_000) };
/** Subject alternative names 127.0.0.1, ::1, localhost and these. */
const alternativeNames = (names: readonly string[]) => ({
  id: '2.5.29.17',
  critical: false,
  value: sequence(
    Buffer.from('87047f000001', 'hex'),
    Buffer.from(`8710${'00'.repeat(15)}01`, 'hex'),
    ...['localhost', ...names].map((name) => Buffer.from(`\x82${String.fromCharCode(name.length)}${name}`, 'latin1')),
  ),
});
const extendedUse = (id: string) => ({ id: '2.5.29.37', critical: false, value: sequence(oid(id)) });
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

const keyPem = ({ key }: Certificate) => key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

export interface TlsFront {
  /** `127.0.0.1:port` */
  readonly address: string;
  /** The authority of its certificate, in PEM. */
  readonly authority: string;
  readonly client: string;
  readonly clientKey: string;
  /** The header `x-tenant` of each request that arrived. */
  readonly seen: readonly (string | undefined)[];
  readonly paths: readonly string[];
}

export interface TlsFrontOptions {
  /** Requires a client certificate of its own authority. */
  readonly wantsClient?: boolean;
  /** Requires a token that it hands out at its own `/token`. */
  readonly wantsToken?: boolean;
  /** What its challenge names, instead of its own `/token`. */
  readonly realm?: (address: string) => string;
  /** Without it, a new authority. */
  readonly authority?: Certificate;
}

/** An authority for several fronts. Two of them need two names, by which a chain is built. */
export const newAuthority = (name = 'authority'): Certificate => issueRoot(name, YEAR, 'ECDSA P-256');

/** Certificates of an authority for a server on loopback with these names besides, and for its client; with their keys, in PEM. */
export function loopbackCertificates(authority: Certificate, names: readonly string[] = []) {
  const leaf = (commonName: string, use: string) => {
    const extensions = [alternativeNames(names), extendedUse(use)];
    const made = issue(authority, createKeyPair(), { commonName, window: YEAR, extensions });
    return { cert: made.pem, key: keyPem(made) };
  };
  return { server: leaf('server', EKU.serverAuth), client: leaf('client', CLIENT_AUTH) };
}

/** Starts a TLS server in front of a plain HTTP server at `host:port`. */
export async function startTlsFront(t: TestContext, target: string, options: TlsFrontOptions = {}): Promise<TlsFront> {
  const authority = options.authority ?? newAuthority();
  const { server, client } = loopbackCertificates(authority);
  const seen: (string | undefined)[] = [];
  const paths: string[] = [];
  const front = createServer(
    {
      ...server,
      ...(options.wantsClient === true && { ca: authority.pem, requestCert: true, rejectUnauthorized: true }),
    },
    (incoming, response) => {
      seen.push(incoming.headers['x-tenant']?.toString());
      paths.push(incoming.url ?? '');
      if (options.wantsToken === true && incoming.url?.startsWith('/token') === true) {
        response.end('{"token":"t"}');
        return;
      }
      if (options.wantsToken === true && incoming.headers.authorization !== 'Bearer t') {
        const realm = options.realm?.(address) ?? `https://${incoming.headers.host}/token`;
        response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end();
        return;
      }
      const [host = '', port] = target.split(':');
      const { method = 'GET', url: path = '/', headers } = incoming;
      incoming.pipe(
        httpRequest({ host, port, method, path, headers }, (answer) => {
          response.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(response);
        }),
      );
    },
  );
  const address = await listenOnLoopback(front);
  t.after(() => {
    front.closeAllConnections();
    front.close();
  });
  return { address, authority: authority.pem, client: client.cert, clientKey: client.key, seen, paths };
}
