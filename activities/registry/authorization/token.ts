import { EvidenceError } from '../../evidence-error.ts';
import { readBounded } from '../../http/bounded-body.ts';
import type { Referrer } from '../../http/destinations.ts';
import { misbehaved } from '../../http/failure.ts';
import { discard, type HttpRequest, send } from '../../http/transport.ts';
import { MAX_AUTH_BYTES, MAX_TOKEN_MS } from '../../limits.ts';
import { basicAuthorization, type Credential } from '../credentials/credential.ts';
import { unexpectedStatus } from '../failure.ts';
import { parseJsonObject } from '../json.ts';

/** Where to get a token, and for what. */
export interface TokenQuestion {
  readonly realm: URL;
  readonly service: string | undefined;
  readonly scopes: readonly string[];
  /** The registry that names the realm. */
  readonly registry: Referrer;
  readonly endpoint?: HttpRequest['endpoint'];
}

export interface Token {
  readonly value: string;
  /** ms that it may be used. */
  readonly lifetimeMs: number;
}

/**
 * Answers to the OAuth2 form that mean "ask by GET" (containerd 2 `core/remotes/docker/auth`: GCR 404, Artifactory 401, ACR 400; Harbor 403,
 * containerd#4983; RFC 9110 says so of 303).
 */
const FORM_UNSUPPORTED = new Set([303, 400, 401, 403, 404, 405]);

/** A lifetime that is not stated (distribution `docs/content/spec/auth/token.md`), in seconds. */
const DEFAULT_LIFETIME_S = 60;

/** Gets a bearer token. Redirects are followed within the origin, for the request carries the secret. Throws the REGISTRY_ codes. */
export async function fetchToken(
  question: TokenQuestion,
  credential: Exclude<Credential, { kind: 'registry-token' }>,
  signal: AbortSignal,
): Promise<Token> {
  switch (credential.kind) {
    case 'anonymous':
      return getToken(question, undefined, signal);
    case 'identity-token': {
      const answer = await postForm(question, { grant_type: 'refresh_token', refresh_token: credential.token }, signal);
      if (answer instanceof EvidenceError) throw answer;
      return answer;
    }
    case 'password': {
      const { username, password } = credential;
      const answer = await postForm(question, { grant_type: 'password', username, password }, signal);
      if (answer instanceof EvidenceError) return getToken(question, basicAuthorization(username, password), signal);
      return answer;
    }
  }
}

/** OAuth2 (distribution `docs/content/spec/auth/oauth.md`). An answer that other registries give by GET is a value. */
async function postForm(
  question: TokenQuestion,
  grant: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Token | EvidenceError> {
  const what = `POST token of ${question.realm.host}`;
  const form = new URLSearchParams({ ...grant, scope: question.scopes.join(' '), client_id: 'portcullis' });
  if (question.service !== undefined) form.set('service', question.service);
  const { realm: url, registry, endpoint } = question;
  const { response } = await send(
    { what, method: 'POST', url, form, registry, endpoint, redirects: 'same-origin' },
    signal,
  );
  if (response.status === 200) return readToken(what, response, signal);
  await discard(response);
  const error = unexpectedStatus(what, '200', response);
  if (FORM_UNSUPPORTED.has(response.status)) return error;
  throw error;
}

async function getToken(
  question: TokenQuestion,
  authorization: string | undefined,
  signal: AbortSignal,
): Promise<Token> {
  const what = `GET token of ${question.realm.host}`;
  const url = new URL(question.realm);
  if (question.service !== undefined) url.searchParams.set('service', question.service);
  url.searchParams.delete('scope');
  for (const scope of question.scopes) url.searchParams.append('scope', scope);
  const { registry, endpoint } = question;
  const { response } = await send(
    { what, method: 'GET', url, authorization, registry, endpoint, redirects: 'same-origin' },
    signal,
  );
  if (response.status === 200) return readToken(what, response, signal);
  await discard(response);
  throw unexpectedStatus(what, '200', response);
}

async function readToken(what: string, response: Response, signal: AbortSignal): Promise<Token> {
  const body = await readBounded(what, response, MAX_AUTH_BYTES, signal);
  const answer = body === 'too-large' ? undefined : parseJsonObject(body);
  // A server may name both and fill one (Go's clients take an empty text for none).
  const value = [answer?.['token'], answer?.['access_token']].find(
    (one) => one !== undefined && one !== null && one !== '',
  );
  if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value)) {
    throw misbehaved(what, `expected JSON with a token of at most ${MAX_AUTH_BYTES} bytes, got something else`, true);
  }
  const seconds = answer?.['expires_in'];
  const stated = typeof seconds === 'number' && seconds > 0 ? seconds : DEFAULT_LIFETIME_S;
  return { value, lifetimeMs: Math.min(stated * 1000, MAX_TOKEN_MS) };
}
