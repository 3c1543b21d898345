import { EvidenceError } from '../../evidence-error.ts';
import type { Referrer } from '../../http/destinations.ts';
import { misbehaved } from '../../http/failure.ts';
import { elsewhere, type HttpRequest } from '../../http/transport.ts';
import type { Credential } from '../credentials/credential.ts';
import { fetchToken, type Token, type TokenQuestion } from './token.ts';

/** What an authorization is good for: one origin, one repository. */
export interface Realm {
  readonly origin: URL;
  readonly repository: string;
  /** As a part of whose questions a token is asked for; without it, of `origin` as the name of an image has it. */
  readonly registry?: Referrer;
  /** How a token is asked for there, when the registry gives its own. */
  readonly endpoint?: HttpRequest['endpoint'];
}

/** Who proves what to which registry. */
export interface Caller<C extends Credential = Credential> {
  readonly realm: Realm;
  readonly credential: C;
  readonly signal: AbortSignal;
}

/**
 * Asks the token service that a registry `named` for a token. Plain HTTP is spoken where https gave no token and there is no secret to be seen.
 * Throws the REGISTRY_ codes.
 */
export async function askTokenService(
  named: string,
  question: Pick<TokenQuestion, 'service' | 'scopes'>,
  { realm, credential, signal }: Caller<Exclude<Credential, { readonly kind: 'registry-token' }>>,
): Promise<Token> {
  const { url, plain } = tokenRealms(realm, named);
  const { registry = { url: realm.origin } } = realm;
  const ask = (at: URL) =>
    fetchToken({ ...question, realm: at, registry, endpoint: endpointAt(realm, at) }, credential, signal);
  try {
    return await ask(url);
  } catch (error) {
    const isOver = signal.aborted || !(error instanceof EvidenceError) || error.code === 'REGISTRY_THROTTLED';
    if (plain === undefined || isOver) throw error;
    if (credential.kind === 'anonymous') {
      return await ask(plain).catch((reason: unknown) => {
        throw reason instanceof EvidenceError && reason.code === 'REGISTRY_INTERNAL_ADDRESS' ? error : reason;
      });
    }
    const { code, message, retryable } = error;
    const why = `${realm.origin.host} names its token service with http:, and credentials are sent by https alone`;
    throw new EvidenceError(code, `${message}; ${why}`, { retryable, cause: error });
  }
}

/** The registry's own settings count at its own origin; elsewhere it says by which authorities that is recognised. */
function endpointAt({ origin, endpoint }: Realm, { origin: at }: URL): HttpRequest['endpoint'] {
  return at === origin.origin ? endpoint : elsewhere(endpoint);
}

interface TokenRealms {
  readonly url: URL;
  /** As the registry wrote it, where that is plain HTTP on its own host. */
  readonly plain?: URL;
}

/**
 * Secrets go to an https realm, or over plain HTTP when the registry itself is spoken to that way. A realm of plain HTTP on the registry's
 * own host is asked by https: a registry behind a proxy for TLS does not know better.
 */
function tokenRealms({ origin }: Realm, text: string): TokenRealms {
  const what = `token realm of ${origin.host}`;
  if (!URL.canParse(text)) throw misbehaved(what, 'expected a URL, got something else', false);
  const url = new URL(text);
  const isOwn = url.protocol === 'http:' && url.hostname === origin.hostname;
  const isPrivate = url.protocol === 'https:' || isOwn || (url.protocol === 'http:' && origin.protocol === 'http:');
  if (!isPrivate || url.username !== '' || url.password !== '') {
    throw misbehaved(what, `expected an https URL without credentials, got ${url.protocol} on ${url.host}`, false);
  }
  if (!isOwn || origin.protocol === 'http:') return { url };
  const secure = new URL(url);
  secure.protocol = 'https:';
  secure.port = url.port === '' ? origin.port : url.port;
  return { url: secure, plain: url };
}
