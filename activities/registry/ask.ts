import type { Authorizer } from './authorizer.ts';
import type { RegistryEndpoint } from './endpoints.ts';
import type { Repository } from './repository.ts';
import { discard, type HttpRequest, type HttpResponse, send } from './transport.ts';

/** Sends a request to an endpoint, with what the endpoint wants to see of us. Throws the REGISTRY_ codes. */
export type Ask = (request: Omit<HttpRequest, 'authorization'>, signal: AbortSignal) => Promise<HttpResponse>;

/**
 * Asks as whom the endpoint wants to see: answers its challenge once, and knows the answer from then on. An answer that was known and is
 * denied is renewed once.
 */
export function askAt(authorizer: Authorizer, endpoint: RegistryEndpoint, name: Repository): Ask {
  const realm = { origin: endpoint.url, repository: name.repository, endpoint };
  return async (asked, signal) => {
    if (asked.url.origin !== endpoint.url.origin) return send(asked, signal);
    const request = { ...asked, endpoint };
    const known = await authorizer.known(realm, signal);
    const first = await send({ ...request, authorization: known }, signal);
    if (first.url.origin !== endpoint.url.origin) return first;
    const { status, headers } = first.response;
    if (status === 401) {
      await discard(first.response);
      const authorization = await authorizer.answer(realm, headers.get('www-authenticate'), known, signal);
      return authorization === undefined ? first : send({ ...request, authorization }, signal);
    }
    if (status !== 403 || known === undefined) return first;
    await discard(first.response);
    const authorization = await authorizer.renew(realm, known, signal);
    if (authorization === undefined) return first;
    const second = await send({ ...request, authorization }, signal);
    if (second.url.origin === endpoint.url.origin && isDenied(second)) authorizer.keep(realm);
    return second;
  };
}

const isDenied = ({ response }: HttpResponse) => response.status === 401 || response.status === 403;
