import { MAX_REDIRECTS } from '../limits.ts';
import type { InternalKind } from './address-kind.ts';
import { connections, type EndpointTls } from './connections.ts';
import { destinations, InternalAddressError, type Referrer, reachOf, refusalOf } from './destinations.ts';
import { exchange, viaTo } from './exchange.ts';
import { internalAddress, misbehaved, transportFailure } from './failure.ts';
import { proxyFailureOf } from './proxy-tunnel.ts';

/** One HTTP request; `what` opens every error message about it and holds neither query nor secret. */
export interface HttpRequest {
  readonly what: string;
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly url: URL;
  readonly accept?: string;
  readonly authorization?: string | undefined;
  readonly form?: URLSearchParams;
  /** A JSON body. */
  readonly json?: string;
  /** For the origin of `url`; {@link elsewhere} says what of it counts after a redirect. */
  readonly endpoint?: { readonly headers?: Readonly<Record<string, string>>; readonly tls?: EndpointTls } | undefined;
  /**
   * The registry whose request it is: what it refers to is asked within its {@link reachOf | reach}. Without it an operator wrote `url`, and
   * redirects alone are judged.
   */
  readonly registry?: Referrer | undefined;
  /**
   * Which redirects are followed, to any host: `registry.k8s.io` sends manifests elsewhere too. `same-origin` is for requests that carry
   * secrets in their body: it is sent again. The answer of those that are not followed is handed back as it is.
   */
  readonly redirects: 'all' | 'all-but-see-other' | 'same-origin' | 'none';
}

export interface HttpResponse {
  readonly response: Response;
  /** Where the answer came from, after redirects. */
  readonly url: URL;
}

/**
 * Sends a request and follows its redirects. Credentials stay with the origin that they were meant for; a step from
 * https to http, and more than {@link MAX_REDIRECTS} steps, are refused. Throws the REGISTRY_ codes.
 */
export async function send(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
  let { url, authorization, endpoint } = request;
  let registry = request.registry ?? { url, configured: true };
  for (let step = 0; step <= MAX_REDIRECTS; step++) {
    const response = await sendOnce({ ...request, url, authorization, endpoint }, registry, signal);
    if (!isFollowed(request, response, url)) return { response, url };
    await discard(response);
    const target = redirectTarget(request, url, response.headers.get('location'));
    if (target.origin !== url.origin) {
      authorization = undefined;
      endpoint = elsewhere(endpoint);
    }
    registry = { ...registry, via: url };
    url = target;
  }
  throw misbehaved(request.what, `expected an answer, got more than ${MAX_REDIRECTS} redirects`, false);
}

async function sendOnce(request: HttpRequest, registry: Referrer, signal: AbortSignal): Promise<Response> {
  const { url, method, endpoint } = request;
  const reach = reachOf(url, registry, destinations(), connections().isPrivate);
  const refused = refusalOf(url, reach, destinations());
  if (refused !== undefined) throw internalAddress(request.what, { url, reach, kind: refused });
  const headers = new Headers({ 'accept-encoding': 'identity', 'user-agent': 'portcullis' });
  if (request.accept !== undefined) headers.set('accept', request.accept);
  if (request.authorization !== undefined) headers.set('authorization', request.authorization);
  if (request.json !== undefined) headers.set('content-type', 'application/json');
  if (request.form !== undefined) headers.set('content-type', 'application/x-www-form-urlencoded;charset=UTF-8');
  for (const [name, value] of Object.entries(endpoint?.headers ?? {})) headers.set(name, value);
  try {
    signal.throwIfAborted();
    return await exchange({
      url,
      method,
      headers,
      body: request.form?.toString() ?? request.json,
      tls: endpoint?.tls,
      ...{ reach, signal },
    });
  } catch (error) {
    const kind = internalKindIn(error);
    if (kind !== undefined) throw internalAddress(request.what, { url, reach, kind });
    const via = proxyFailureOf(error) === undefined ? viaTo(url) : '';
    throw transportFailure(`${request.what}${via}`, error, signal);
  }
}

/** What a lookup has refused, looked for down the chain of causes. */
function internalKindIn(error: unknown): InternalKind | undefined {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    if (cause instanceof InternalAddressError) return cause.kind;
  }
  return undefined;
}

function isFollowed({ redirects, method }: HttpRequest, { status, headers }: Response, from: URL): boolean {
  const isRedirect = status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
  switch (redirects) {
    case 'none':
      return false;
    case 'all':
      return isRedirect;
    case 'all-but-see-other':
      return isRedirect && status !== 303;
    case 'same-origin': {
      const to = headers.get('location') ?? '';
      const isSame = URL.canParse(to, from.href) && new URL(to, from).origin === from.origin;
      return isRedirect && isSame && (status !== 303 || method !== 'POST');
    }
  }
}

function redirectTarget(request: HttpRequest, from: URL, location: string | null): URL {
  if (location === null || !URL.canParse(location, from.href)) {
    throw misbehaved(request.what, 'expected a redirect to a URL, got one to nowhere', false);
  }
  const target = new URL(location, from);
  const isWeb = target.protocol === 'https:' || (target.protocol === 'http:' && from.protocol === 'http:');
  if (!isWeb) {
    throw misbehaved(request.what, `expected a redirect to https, got ${target.protocol} on ${target.host}`, false);
  }
  if (target.username !== '' || target.password !== '') {
    throw misbehaved(request.what, `expected a redirect without credentials, got some for ${target.host}`, false);
  }
  return target;
}

/**
 * What of an endpoint's settings counts where it sends us: by which authorities a certificate is recognised, as for containerd. Who we are
 * is told to the endpoint alone.
 */
export function elsewhere(endpoint: HttpRequest['endpoint']): HttpRequest['endpoint'] {
  const tls = endpoint?.tls;
  return tls === undefined ? undefined : { tls: { ...tls, clients: [] } };
}

/** Gives the connection back without reading the body. */
export async function discard(response: Response): Promise<void> {
  // A body that failed already has nothing left to give back.
  await response.body?.cancel().catch(() => undefined);
}
