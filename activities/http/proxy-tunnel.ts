import { type ClientRequest, type IncomingMessage, request as requestPlain } from 'node:http';
import { request as requestSecure } from 'node:https';
import type { LookupFunction, Socket } from 'node:net';
import type { ChosenProxy } from '../../workflows/format/proxy.ts';
import { MAX_CONNECT_MS } from '../limits.ts';

/** What went wrong between us and a proxy, or between a proxy and the other end. */
export type ProxyFailureCode = 'PROXY_UNREACHABLE' | 'PROXY_TIMEOUT' | 'PROXY_DENIED';

/** A proxy gave no connection. Neither text holds credentials. */
export class ProxyFailure extends Error {
  override readonly name = 'ProxyFailure';
  readonly code: ProxyFailureCode;
  /** What happened, for example `the proxy proxy.example:3128 requires credentials (407)`. */
  readonly problem: string;
  /** What to do about it; begins with a verb. */
  readonly fix: string;

  constructor(
    code: ProxyFailureCode,
    { problem, fix }: { readonly problem: string; readonly fix: string },
    cause?: unknown,
  ) {
    super(`${problem}; ${fix}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.problem = problem;
    this.fix = fix;
  }
}

/** The last ones, by their text: clients of clouds put the text of an error into one of their own, without the error. */
const recent = new Map<string, ProxyFailure>();
const MAX_RECENT = 32;

function remembered(failure: ProxyFailure): ProxyFailure {
  recent.delete(failure.message);
  recent.set(failure.message, failure);
  const [oldest] = recent.keys();
  if (recent.size > MAX_RECENT && oldest !== undefined) recent.delete(oldest);
  return failure;
}

/** The failure of a proxy that led to an error, looked for down the chain of causes. */
export function proxyFailureOf(error: unknown): ProxyFailure | undefined {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 8; cause = cause.cause, depth++) {
    if (cause instanceof ProxyFailure) return cause;
    const { message } = cause;
    const quoted = [...recent].find(([text]) => message.includes(text));
    if (quoted !== undefined) return quoted[1];
  }
  return undefined;
}

/** The value of `Proxy-Authorization` (RFC 7617), for a proxy with credentials. */
export function proxyAuthorization({ credentials }: ChosenProxy): string | undefined {
  if (credentials === undefined) return undefined;
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`, 'utf8').toString('base64')}`;
}

/** Connects to `host:port` through a proxy (CONNECT, RFC 9110 section 9.3.6). Rejects with a {@link ProxyFailure}. */
export function openTunnel(proxy: ChosenProxy, hostPort: string, lookup: LookupFunction): Promise<Socket> {
  const authorization = proxyAuthorization(proxy);
  const host = proxy.host.replace(/^\[(.*)\]$/, '$1');
  const options = {
    ...{ host, port: proxy.port, method: 'CONNECT', path: hostPort, lookup, agent: false },
    headers: {
      host: hostPort,
      'user-agent': 'portcullis',
      ...(authorization && { 'proxy-authorization': authorization }),
    },
  } as const;
  return new Promise((resolve, reject) => {
    const asked: ClientRequest = proxy.scheme === 'https' ? requestSecure(options) : requestPlain(options);
    const late = setTimeout(() => {
      asked.destroy();
      reject(remembered(new ProxyFailure('PROXY_TIMEOUT', tooLate(proxy))));
    }, MAX_CONNECT_MS);
    asked.once('connect', ({ statusCode = 0 }: IncomingMessage, socket: Socket, head: Buffer) => {
      clearTimeout(late);
      if (statusCode >= 200 && statusCode < 300) {
        if (head.byteLength > 0) socket.unshift(head);
        resolve(socket);
        return;
      }
      socket.on('error', () => undefined).destroy();
      reject(remembered(new ProxyFailure('PROXY_DENIED', denial(proxy, hostPort, statusCode))));
    });
    asked.once('error', (cause) => {
      clearTimeout(late);
      reject(remembered(new ProxyFailure('PROXY_UNREACHABLE', unreachable(proxy, cause), cause)));
    });
    asked.end();
  });
}

function tooLate({ label }: ChosenProxy) {
  return {
    problem: `the proxy ${label} did not connect within ${MAX_CONNECT_MS / 1000} s`,
    fix: 'check the proxy and the network',
  };
}

function unreachable({ label }: ChosenProxy, cause: NodeJS.ErrnoException) {
  const code = /^[A-Z][A-Z0-9_]*$/.test(cause.code ?? '') ? cause.code : 'no further detail';
  return { problem: `the connection to the proxy ${label} failed (${code})`, fix: 'check the proxy and its URL' };
}

/** What a proxy means that answers with this status instead of a connection. */
export function denial(
  proxy: ChosenProxy,
  hostPort: string,
  status: number,
): { readonly problem: string; readonly fix: string } {
  const { label, credentials } = proxy;
  if (status === 407) {
    return credentials === undefined
      ? { problem: `the proxy ${label} requires credentials (407)`, fix: "add user and password to the proxy's URL" }
      : { problem: `the proxy ${label} rejected the credentials (407)`, fix: "correct them in the proxy's URL" };
  }
  if (status === 401 || status === 403) {
    const fix = 'allow the host in the proxy, or add it to NO_PROXY';
    return { problem: `the proxy ${label} denied the connection to ${hostPort} (${status})`, fix };
  }
  if (status >= 500 && status < 600) {
    const fix = 'check that the proxy can reach the host';
    return { problem: `the proxy ${label} could not connect to ${hostPort} (${status})`, fix };
  }
  const fix = 'check that its URL names an HTTP proxy';
  return { problem: `the proxy ${label} answered a request to connect to ${hostPort} with ${status}`, fix };
}
