import type { End, Obstacle } from './obstacle.ts';
import type { TemporalSettings } from './settings.ts';

/** How Temporal is reached, for messages: `Temporal at a.example:7233 through the proxy p.example:3128`. */
export function placeOf({ address, proxy }: Pick<TemporalSettings, 'address' | 'proxy'>): string {
  return `Temporal at ${address}${proxy === undefined ? '' : ` through the proxy ${proxy.label}`}`;
}

/** One line about what is in the way: where, `cause; fix`. `now` in Unix ms. */
export function explainObstacle(obstacle: Obstacle, settings: TemporalSettings, now: number): string {
  return `${placeOf(settings)}: ${causeAndFix(obstacle, settings, now)}`;
}

function causeAndFix(obstacle: Obstacle, settings: TemporalSettings, now: number): string {
  switch (obstacle.kind) {
    case 'name':
      return `the name of ${the(obstacle.at)} has no address (${obstacle.code}); check ${settingOf(obstacle.at, settings)} and DNS`;
    case 'refused':
      return `${the(obstacle.at)} refused the connection; check ${settingOf(obstacle.at, settings)} and that ${it(obstacle.at)} runs`;
    case 'network':
      return `${the(obstacle.at)} can't be reached (${obstacle.code}); check ${settingOf(obstacle.at, settings)}, routes and firewalls`;
    case 'silent':
      return obstacle.connected
        ? `${the(obstacle.at)} accepted the connection and did not answer; check that ${it(obstacle.at)} is healthy, and what is in front of it`
        : `${the(obstacle.at)} did not answer; check ${settingOf(obstacle.at, settings)}, routes and firewalls`;
    case 'proxy answer':
      return aboutProxy(obstacle.status, settings);
    case 'tls':
      return aboutTls(obstacle, settings, now);
    case 'closed':
      return aboutEnd(obstacle.secured, settings, now);
    case 'wants TLS':
      return 'the server requires TLS; set TEMPORAL_TLS=true, or name the files of TEMPORAL_TLS_*';
    case 'not HTTP/2':
      return 'the server does not speak gRPC; check TEMPORAL_ADDRESS, which names the port of the frontend and not of the UI';
  }
}

function the(end: End): string {
  return end === 'proxy' ? 'the proxy' : 'the server';
}

function it(end: End): string {
  return end === 'proxy' ? 'the proxy' : 'Temporal';
}

function settingOf(end: End, { tls }: TemporalSettings): string {
  if (end === 'temporal') return 'TEMPORAL_ADDRESS';
  return tls === undefined ? 'HTTP_PROXY' : 'HTTPS_PROXY';
}

function aboutProxy(status: number | undefined, settings: TemporalSettings): string {
  const variable = settingOf('proxy', settings);
  switch (status) {
    case undefined:
      return `the proxy did not answer CONNECT with HTTP; check that ${variable} names an HTTP proxy`;
    case 407:
      return settings.proxy?.credentials === undefined
        ? `the proxy requires credentials (407); put them into ${variable} as http://USER:PASSWORD@HOST:PORT`
        : `the proxy does not accept the credentials of ${variable} (407); correct them`;
    case 403:
      return `the proxy does not permit this connection (403); allow CONNECT to ${settings.address} there, or list the host in NO_PROXY`;
    case 502:
    case 503:
    case 504:
      return `the proxy does not reach the server (${status}); check TEMPORAL_ADDRESS and the network of the proxy`;
    default:
      return `the proxy answered CONNECT with ${status}; check ${variable} and the log of the proxy`;
  }
}

const UNTRUSTED: ReadonlySet<string> = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'INVALID_CA',
]);

function aboutTls(
  { code, detail }: { readonly code: string; readonly detail: string },
  settings: TemporalSettings,
  now: number,
): string {
  const expected = settings.tls?.serverName ?? settings.host;
  if (UNTRUSTED.has(code)) {
    return settings.tls?.authorities === undefined
      ? "the server's certificate is of an authority that this system does not trust; name the authority's file in TEMPORAL_TLS_SERVER_CA_CERT_PATH"
      : "the server's certificate is not of the authority in TEMPORAL_TLS_SERVER_CA_CERT_PATH; add the authority that issued it";
  }
  if (code === 'CERT_HAS_EXPIRED')
    return "the server's certificate has expired; renew it on the server, or correct this clock";
  if (code === 'CERT_NOT_YET_VALID') return "the server's certificate is not valid yet; compare the clocks";
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return `the server's certificate is not for ${expected}; set TEMPORAL_TLS_SERVER_NAME to a name in it, or correct TEMPORAL_ADDRESS`;
  }
  if (/ALERT_UNRECOGNIZED_NAME/.test(code)) {
    return `the server does not know the name ${expected}; set TEMPORAL_TLS_SERVER_NAME to a name that it serves`;
  }
  if (/ALERT_NO_APPLICATION_PROTOCOL/.test(code)) {
    return 'the server does not speak gRPC; check TEMPORAL_ADDRESS';
  }
  if (/CERTIFICATE|ALERT_UNKNOWN_CA|ALERT_HANDSHAKE_FAILURE|ALERT_ACCESS_DENIED|ALERT_DECRYPT_ERROR/.test(code)) {
    return aboutClient(settings, now);
  }
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|RECORD_LAYER/.test(code)) {
    return 'the server does not speak TLS; unset TEMPORAL_TLS and TEMPORAL_TLS_*, or correct TEMPORAL_ADDRESS';
  }
  return `TLS failed (${code}${detail === '' ? '' : `: ${detail.split('\n')[0]?.slice(0, 160)}`}); check TEMPORAL_TLS_*`;
}

function aboutEnd(secured: boolean, settings: TemporalSettings, now: number): string {
  const { tls } = settings;
  if (tls === undefined) {
    return 'the server closed the connection; set TEMPORAL_TLS=true if it requires TLS, and look at its log';
  }
  const isOver = tls.client !== undefined && tls.client.until < now;
  if (secured || isOver) return aboutClient(settings, now);
  return 'the server closed the connection during the TLS handshake; check that TEMPORAL_ADDRESS is a port with TLS, and TEMPORAL_TLS_CLIENT_*';
}

/** The server ended the connection over the certificate that the client showed, or did not show. */
function aboutClient({ tls }: TemporalSettings, now: number): string {
  const client = tls?.client;
  if (client === undefined) {
    return 'the server requires a client certificate; name its files in TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH';
  }
  if (client.until < now) {
    return `the client certificate expired at ${new Date(client.until).toISOString()}; renew the file of TEMPORAL_TLS_CLIENT_CERT_PATH`;
  }
  if (client.from > now) {
    return `the client certificate is valid only from ${new Date(client.from).toISOString()}; compare the clocks`;
  }
  return 'the server does not accept the client certificate; use one of an authority that the server trusts';
}

/** gRPC status codes (grpc/grpc, doc/statuscodes.md). */
export const STATUS = {
  ok: 0,
  cancelled: 1,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  exhausted: 8,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** Codes that a client makes itself when there is no answer; OK is no problem. */
const NO_ANSWER: ReadonlySet<number> = new Set([
  STATUS.ok,
  STATUS.cancelled,
  STATUS.deadlineExceeded,
  STATUS.unavailable,
]);

/** Whether a status says that a server is there: throttled, not permitted, no such namespace. */
export function isAnswer(code: number): boolean {
  return !NO_ANSWER.has(code);
}

/** One line about a refusal that Temporal answered: where, `cause; fix`, with what it said. */
export function explainStatus(
  status: number | undefined,
  said: string,
  settings: Pick<TemporalSettings, 'address' | 'proxy' | 'namespace' | 'apiKey'>,
): string {
  const fix = fixOf(status, said, settings);
  return `${placeOf(settings)}: ${said.split('\n')[0]}${fix === undefined ? '' : `; ${fix}`}`;
}

function fixOf(
  status: number | undefined,
  said: string,
  { namespace, apiKey }: Pick<TemporalSettings, 'namespace' | 'apiKey'>,
): string | undefined {
  const identity = apiKey === undefined ? 'the client certificate' : 'the API key (TEMPORAL_API_KEY)';
  switch (status) {
    case STATUS.notFound:
      return /namespace/i.test(said) ? `create the namespace ${namespace}, or correct TEMPORAL_NAMESPACE` : undefined;
    case STATUS.permissionDenied:
      return `permit the namespace ${namespace} to ${identity}, or correct TEMPORAL_NAMESPACE`;
    case STATUS.unauthenticated:
      return apiKey === undefined ? 'set TEMPORAL_API_KEY, or the files of TEMPORAL_TLS_*' : `renew ${identity}`;
    case STATUS.exhausted:
      return 'raise the rate limit of the namespace if this stays';
    default:
      return undefined;
  }
}
