/** How to prove who we are to one registry. Never part of an error message. */
export type Credential =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token, exchanged for an access token. */
  | { readonly kind: 'identity-token'; readonly token: string }
  /** A bearer token that is ready to be sent. */
  | { readonly kind: 'registry-token'; readonly token: string };

/**
 * Finds the credential for a repository (`demo/app`) at a host (`registry-1.docker.io`, `127.0.0.1:5000`). `anew` when an earlier one
 * was denied: then no kept answer counts. Throws REGISTRY_UNAUTHORIZED.
 */
export type CredentialSource = (
  host: string,
  signal: AbortSignal,
  repository: string,
  anew?: boolean,
) => Promise<Credential>;

/** The first that knows any. */
export function firstOf(sources: readonly CredentialSource[]): CredentialSource {
  return async (host, signal, repository, anew) => {
    for (const source of sources) {
      const credential = await source(host, signal, repository, anew);
      if (credential.kind !== 'anonymous') return credential;
    }
    return { kind: 'anonymous' };
  };
}

/** No credentials for anybody. */
export const anonymous: CredentialSource = async () => ({ kind: 'anonymous' });

/** Basic credentials (RFC 7617) as the value of `Authorization`. */
export function basicAuthorization(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
