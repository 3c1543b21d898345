import { discard, elsewhere, type HttpRequest, type HttpResponse, send } from '../../http/transport.ts';
import type { RegistryEndpoint } from '../endpoints/endpoints.ts';
import type { Repository } from '../repository.ts';
import type { Authorizer } from './authorizer.ts';

/** Sends a request to an endpoint, with what the endpoint wants to see of us. Throws the REGISTRY_ codes. */
export type Ask = (request: Omit<HttpRequest, 'authorization'>, signal: AbortSignal) => Promise<HttpResponse>;

/**
 * Asks as whom the endpoint wants to see: answers its challenge once, and knows the answer from then on. An answer that was known and is
 * denied is renewed once. Where the endpoint sends us elsewhere, no credential is shown, and a challenge there is answered anonymously.
 */
export function askAt(authorizer: Authorizer, endpoint: RegistryEndpoint, name: Repository): Ask {
  const realm = { origin: endpoint.url, repository: name.repository, registry: endpoint, endpoint };
  const isHere = ({ url }: HttpResponse) => url.origin === endpoint.url.origin;
  return async (asked, signal) => {
    const stranger = { ...asked, registry: endpoint, endpoint: elsewhere(endpoint) };
    const answer =
      asked.url.origin === endpoint.url.origin ? await askHere(asked, signal) : await send(stranger, signal);
    return isHere(answer) ? answer : await challengedBy(authorizer, stranger, answer, signal);
  };

  async function askHere(asked: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
    const request = { ...asked, registry: endpoint, endpoint };
    const known = await authorizer.known(realm, signal);
    const first = await send({ ...request, authorization: known }, signal);
    const { status, headers } = first.response;
    if (!isHere(first) || !isDenied(first) || (status === 403 && known === undefined)) return first;
    await discard(first.response);
    const authorization =
      status === 401
        ? await authorizer.answer(realm, headers.get('www-authenticate'), known, signal)
        : await authorizer.renew(realm, known ?? '', signal);
    if (authorization === undefined) return first;
    const second = await send({ ...request, authorization }, signal);
    if (!isHere(second) || !isDenied(second)) return second;
    if (known !== undefined) authorizer.keep(realm);
    const other = known === undefined ? await authorizer.replace(realm, authorization, signal) : undefined;
    if (other === undefined) return second;
    await discard(second.response);
    return await send({ ...request, authorization: other }, signal);
  }
}

/** Answers the challenge of a second registry, once and without a credential. */
async function challengedBy(
  authorizer: Authorizer,
  request: HttpRequest,
  first: HttpResponse,
  signal: AbortSignal,
): Promise<HttpResponse> {
  if (first.response.status !== 401) return first;
  await discard(first.response);
  const challenge = first.response.headers.get('www-authenticate');
  const { registry, endpoint } = request;
  const stranger = { url: first.url, registry: registry ?? first, endpoint };
  const authorization = await authorizer.answerStranger(stranger, challenge, signal);
  return authorization === undefined ? first : send({ ...request, url: first.url, authorization }, signal);
}

const isDenied = ({ response }: HttpResponse) => response.status === 401 || response.status === 403;
