import type { TemporalSettings } from './settings.ts';

/** Why a connection to Temporal is not made, as far as the connection itself shows. */
export type Obstacle =
  /** The name of the server or of the proxy has no address. */
  | { readonly kind: 'name'; readonly at: End; readonly code: string }
  | { readonly kind: 'refused'; readonly at: End }
  /** Nothing answered until the time was over: to the connection, or after it was made. */
  | { readonly kind: 'silent'; readonly at: End; readonly connected: boolean }
  | { readonly kind: 'network'; readonly at: End; readonly code: string }
  /** The proxy answered CONNECT with another status than 2xx, or with something that is not HTTP (`undefined`). */
  | { readonly kind: 'proxy answer'; readonly status: number | undefined }
  /** What TLS found wrong, as a code of Node. */
  | { readonly kind: 'tls'; readonly code: string; readonly detail: string }
  /** The connection ended where the server should have spoken. */
  | { readonly kind: 'closed'; readonly secured: boolean }
  | { readonly kind: 'wants TLS' }
  | { readonly kind: 'not HTTP/2' };

/** Which end of a connection is meant. */
export type End = 'proxy' | 'temporal';

/** A socket of Node, as far as it is used here. */
export interface ProbeSocket {
  on(event: string, listener: (value: unknown) => void): unknown;
  off(event: string, listener: (value: unknown) => void): unknown;
  write(bytes: Uint8Array): unknown;
  destroy(): unknown;
}

/** What a probe needs of the world: `net.connect` and `tls.connect`. */
export interface ProbeNetwork<Socket extends ProbeSocket> {
  connect(host: string, port: number): Socket;
  /** TLS with the settings' own certificates, and ALPN `h2`, over a connection that was made. */
  secure(socket: Socket, tls: NonNullable<TemporalSettings['tls']>, serverName: string): ProbeSocket;
}

/** The preface of HTTP/2 and empty settings (RFC 9113, 3.4): what every server answers with its own settings. */
const GREETING = new TextEncoder().encode('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0');

/** The first byte of an alert of TLS (RFC 8446, 5.1). */
const TLS_ALERT = 0x15;

/** Of a proxy's answer; longer ones are not HTTP. */
const MAX_HEAD_BYTES = 16 * 1024;

/**
 * Makes one connection to Temporal as its clients do, and finds what is in the way; `undefined` when the server speaks HTTP/2.
 * Sends no credentials but the proxy's, and the client certificate that TLS shows. `signal` ends it, and an end is an answer.
 */
export async function findObstacle<Socket extends ProbeSocket>(
  settings: TemporalSettings,
  network: ProbeNetwork<Socket>,
  signal: AbortSignal,
): Promise<Obstacle | undefined> {
  const { proxy, tls } = settings;
  const at: End = proxy === undefined ? 'temporal' : 'proxy';
  const host = (proxy?.host ?? settings.host).replace(/^\[(.*)\]$/, '$1');
  const socket = network.connect(host, proxy?.port ?? settings.port);
  socket.on('error', () => {}); // an error that comes after the answer is known
  try {
    const connected = await next(socket, ['connect'], signal);
    if (connected.event !== 'connect') return unconnected(connected, at);
    const passed = proxy === undefined ? 'silence' : await passProxy(settings, socket, signal);
    if (typeof passed !== 'string') return passed;
    if (passed === 'words' && tls === undefined) return undefined;
    return tls === undefined
      ? await greet(socket, false, signal)
      : await secureAndGreet(settings, network, socket, signal);
  } finally {
    socket.destroy();
  }
}

async function secureAndGreet<Socket extends ProbeSocket>(
  { tls, host }: TemporalSettings,
  network: ProbeNetwork<Socket>,
  socket: Socket,
  signal: AbortSignal,
): Promise<Obstacle | undefined> {
  if (tls === undefined) return undefined;
  const secured = network.secure(socket, tls, tls.serverName ?? host);
  secured.on('error', () => {});
  try {
    const shaken = await next(secured, ['secureConnect'], signal);
    if (shaken.event !== 'secureConnect') return ended(shaken, false);
    return 'alpnProtocol' in secured && secured.alpnProtocol === 'h2'
      ? await greet(secured, true, signal)
      : { kind: 'not HTTP/2' };
  } finally {
    secured.destroy();
  }
}

/** With TLS 1.3 a server judges the client's certificate after the handshake, so only its first words tell. */
async function greet(socket: ProbeSocket, secured: boolean, signal: AbortSignal): Promise<Obstacle | undefined> {
  socket.write(GREETING);
  const heard = await next(socket, ['data'], signal);
  if (heard.event !== 'data') return ended(heard, secured);
  const first = heard.value instanceof Uint8Array ? heard.value[0] : undefined;
  if (!secured && first === TLS_ALERT) return { kind: 'wants TLS' };
  // The first frame is SETTINGS: three bytes of length, then its type.
  const isSettings = heard.value instanceof Uint8Array && (heard.value.length < 4 || heard.value[3] === 4);
  return isSettings ? undefined : { kind: 'not HTTP/2' };
}

/** Asks a proxy for a tunnel. Answers whether the server's first words came with the proxy's answer. */
async function passProxy(
  { address, proxy }: TemporalSettings,
  socket: ProbeSocket,
  signal: AbortSignal,
): Promise<Obstacle | 'silence' | 'words'> {
  const { username, password } = proxy?.credentials ?? {};
  const encoded = btoa(String.fromCharCode(...new TextEncoder().encode(`${username}:${password}`)));
  const credentials = username === undefined ? '' : `Proxy-Authorization: Basic ${encoded}\r\n`;
  socket.write(new TextEncoder().encode(`CONNECT ${address} HTTP/1.1\r\nHost: ${address}\r\n${credentials}\r\n`));
  let head = '';
  while (!head.includes('\r\n\r\n')) {
    const heard = await next(socket, ['data'], signal);
    if (heard.event === 'abort') return { kind: 'silent', at: 'proxy', connected: true };
    if (heard.event !== 'data' || head.length > MAX_HEAD_BYTES) return { kind: 'proxy answer', status: undefined };
    head += heard.value instanceof Uint8Array ? new TextDecoder('latin1').decode(heard.value) : '';
  }
  const [, digits] = /^HTTP\/1\.[01] (\d{3})/.exec(head) ?? [];
  const status = digits === undefined ? undefined : Number(digits);
  if (status === undefined || status < 200 || status > 299) return { kind: 'proxy answer', status };
  return head.endsWith('\r\n\r\n') ? 'silence' : 'words';
}

/** What a socket did: one of the events, or its end in one of three ways. */
interface Heard {
  readonly event: string;
  readonly value: unknown;
}

function next(socket: ProbeSocket, events: readonly string[], signal: AbortSignal): Promise<Heard> {
  return new Promise((resolve) => {
    const listeners = [...events, 'error', 'close'].map((event) => {
      const listener = (value: unknown) => settle({ event, value });
      socket.on(event, listener);
      return { event, listener };
    });
    const giveUp = () => settle({ event: 'abort', value: undefined });
    function settle(heard: Heard): void {
      for (const { event, listener } of listeners) socket.off(event, listener);
      signal.removeEventListener('abort', giveUp);
      resolve(heard);
    }
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp);
  });
}

function unconnected({ event, value }: Heard, at: End): Obstacle {
  if (event === 'abort') return { kind: 'silent', at, connected: false };
  const code = codeOf(value);
  if (code === 'ECONNREFUSED') return { kind: 'refused', at };
  return NAME_CODES.has(code) ? { kind: 'name', at, code } : { kind: 'network', at, code };
}

const NAME_CODES: ReadonlySet<string> = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA', 'EAI_NONAME']);

/** An end in the middle of a connection. */
function ended({ event, value }: Heard, secured: boolean): Obstacle {
  if (event === 'abort') return { kind: 'silent', at: 'temporal', connected: true };
  const code = codeOf(value);
  if (event === 'close' || code === 'ECONNRESET' || code === 'EPIPE') return { kind: 'closed', secured };
  return { kind: 'tls', code, detail: value instanceof Error ? value.message : '' };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
