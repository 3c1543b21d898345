import type { Answer } from './registry-fault.ts';
import { json, refusal, type StoreRequest } from './registry-store.ts';

/** Who may read and write. */
export type RegistryAuth =
  | { readonly kind: 'none' }
  | { readonly kind: 'basic'; readonly username: string; readonly password: string; readonly isEcr?: true }
  | {
      readonly kind: 'bearer';
      /** Without one, anybody gets a token. */
      readonly username?: string;
      readonly password?: string;
      /** Refresh token that is taken instead. */
      readonly identityToken?: string;
      /** Whether the token endpoint knows the OAuth2 form; otherwise it answers 405. */
      readonly form?: boolean;
      readonly lifetimeS?: number;
      /** Answers 403 to a credential or token that it does not take, as Amazon ECR does, and 401 without one. */
      readonly isEcr?: true;
      /** What the challenge names as realm, instead of this registry's own `/token`. */
      readonly realm?: string;
    };

/** Guards a registry, and hands out tokens at `/token`. */
export class RegistryGuard {
  readonly #auth: RegistryAuth;
  /** Scope and expiry (ms since the epoch) of each token. */
  readonly #tokens = new Map<string, { readonly scope: string; readonly expiresAt: number }>();

  #issued = 0;

  constructor(auth: RegistryAuth) {
    this.#auth = auth;
  }

  /** The refusal of a request, if it is one. */
  check(request: StoreRequest, address: string): Answer | undefined {
    const sent = String(request.headers['authorization'] ?? '');
    const repository = /^\/v2\/(.+?)\/(?:manifests|blobs|referrers|tags)\//.exec(request.url.pathname)?.[1];
    switch (this.#auth.kind) {
      case 'none':
        return undefined;
      case 'basic':
        if (sent === basic(this.#auth.username, this.#auth.password)) return undefined;
        return this.#auth.isEcr === true && sent !== '' ? EXPIRED : challenge('Basic realm="fake"');
      case 'bearer': {
        const token = this.#tokens.get(sent.replace(/^Bearer /, ''));
        const covers = repository === undefined || token?.scope.includes(`repository:${repository}:`);
        if (token !== undefined && token.expiresAt > Date.now() && covers) return undefined;
        if (this.#auth.isEcr === true && sent !== '') return EXPIRED;
        const realm = this.#auth.realm ?? `http://${address}/token`;
        const scope = repository === undefined ? '' : `,scope="repository:${repository}:pull"`;
        return challenge(`Bearer realm="${realm}",service="fake"${scope}`);
      }
    }
  }

  /** Every token so far ends now. */
  revokeTokens(): void {
    this.#tokens.clear();
  }

  issue(request: StoreRequest): Answer {
    const auth = this.#auth;
    if (auth.kind !== 'bearer') return refusal(404, 'NOT_FOUND');
    const form = new URLSearchParams(Buffer.from(request.body).toString('utf8'));
    const isForm = request.method === 'POST';
    if (isForm && auth.form === false) return refusal(405, 'UNSUPPORTED');
    const sent = String(request.headers['authorization'] ?? '');
    const passes = isForm
      ? (form.get('password') === auth.password && form.get('username') === auth.username) ||
        (auth.identityToken !== undefined && form.get('refresh_token') === auth.identityToken)
      : auth.username === undefined || sent === basic(auth.username, auth.password ?? '');
    if (!passes) return refusal(401, 'UNAUTHORIZED');
    const value = `fake-token-${++this.#issued}`;
    const scope = (isForm ? form.get('scope') : request.url.searchParams.getAll('scope').join(' ')) ?? '';
    const lifetimeS = auth.lifetimeS ?? 300;
    this.#tokens.set(value, { scope, expiresAt: Date.now() + lifetimeS * 1000 });
    return json(200, { [isForm ? 'access_token' : 'token']: value, expires_in: lifetimeS });
  }
}

const EXPIRED = json(403, {
  errors: [{ code: 'DENIED', message: 'Your authorization token has expired. Reauthenticate and try again.' }],
});

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function challenge(header: string): Answer {
  const answer = refusal(401, 'UNAUTHORIZED');
  return { ...answer, headers: { ...answer.headers, 'www-authenticate': header } };
}
