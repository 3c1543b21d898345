import { isDeepStrictEqual } from 'node:util';
import { EvidenceError } from '../../evidence-error.ts';
import type { Referrer } from '../../http/destinations.ts';
import { transportFailure } from '../../http/failure.ts';
import type { HttpRequest } from '../../http/transport.ts';
import { MAX_AUTHORIZATIONS, MAX_REGISTRY_REQUEST_MS, MAX_TOKEN_MS, RENEWAL_PAUSE_MS } from '../../limits.ts';
import { basicAuthorization, type Credential, type CredentialSource } from '../credentials/credential.ts';
import { type Challenge, challengedRepositories, parseChallenges } from './challenge.ts';
import { askTokenService, type Caller, type Realm } from './token-realm.ts';

interface Authorization {
  /** Value of the header; `undefined` when there is nothing to prove who we are with. */
  readonly header: string | undefined;
  readonly lifetimeMs: number;
  /** What it is made of. */
  readonly credential: Credential;
}

interface Held {
  readonly authorization: Promise<Authorization>;
  /** The `WWW-Authenticate` that it answers. */
  readonly challenge: string | null;
  expiresAt: number;
  /** No other one is asked for before, whatever is denied. */
  renewableAt: number;
}

/** A second registry, to which the first one has sent us. */
interface Stranger {
  readonly url: URL;
  readonly registry: Referrer;
  readonly endpoint: HttpRequest['endpoint'];
}

/** Answers the challenges of registries, and remembers the answers by origin and scope until they expire. */
export class Authorizer {
  readonly #credentials: CredentialSource;
  readonly #now: () => number;
  readonly #held = new Map<string, Held>();

  constructor(credentials: CredentialSource, now: () => number = Date.now) {
    this.#credentials = credentials;
    this.#now = now;
  }

  /** The header to send right away, when an earlier challenge was answered. Throws what {@link answer} throws. */
  async known(realm: Realm, signal: AbortSignal): Promise<string | undefined> {
    const held = this.#fresh(realm);
    return held === undefined ? undefined : (await within(realm, held.authorization, signal)).header;
  }

  /**
   * Answers the `WWW-Authenticate` of a 401 that followed `rejected` (the header that was sent, if any). Simultaneous
   * callers share one token. Throws the REGISTRY_ codes.
   */
  async answer(
    realm: Realm,
    challenge: string | null,
    rejected: string | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const before = this.#fresh(realm);
    const isRejected = before === undefined || (await within(realm, before.authorization, signal)).header === rejected;
    const current = this.#fresh(realm);
    // Another caller may have asked meanwhile.
    const isUsable = current !== undefined && !(isRejected && current === before);
    const held = isUsable ? current : this.#start(realm, challenge, rejected !== undefined);
    return (await within(realm, held.authorization, signal)).header;
  }

  /**
   * A fresh header instead of one that was held and that a 403 denied: Amazon ECR says so that it has expired. `undefined` when there is no
   * other one, or when the last fresh one was denied a moment ago ({@link keep}). Throws what {@link answer} throws.
   */
  async renew(realm: Realm, denied: string, signal: AbortSignal): Promise<string | undefined> {
    const held = this.#fresh(realm);
    if (held === undefined || held.renewableAt > this.#now()) return undefined;
    const header =
      (await within(realm, held.authorization, signal)).header === denied
        ? await this.answer(realm, held.challenge, denied, signal)
        : await this.known(realm, signal);
    if (header !== denied) return header;
    this.keep(realm);
    return undefined;
  }

  /**
   * As {@link renew}, for a header that was made just now: only where its credential was one that a source had kept, and there is another one.
   */
  async replace(realm: Realm, denied: string, signal: AbortSignal): Promise<string | undefined> {
    const held = this.#fresh(realm);
    if (held === undefined || held.renewableAt > this.#now()) return undefined;
    const { header, credential } = await within(realm, held.authorization, signal);
    if (header !== denied) return header;
    const other = await this.#credentials(realm.origin.host, signal, realm.repository, true);
    if (!isDeepStrictEqual(other, credential)) return await this.renew(realm, denied, signal);
    this.keep(realm);
    return undefined;
  }

  /** Keeps what is held for a moment: it is fresh, and was denied as well. */
  keep(realm: Realm): void {
    const held = this.#fresh(realm);
    if (held !== undefined) held.renewableAt = this.#now() + RENEWAL_PAUSE_MS;
  }

  /**
   * Answers the challenge of a registry to which another one has sent us: without a credential, for the repository that it names, or that its
   * URL does. `undefined` for a challenge that wants a password. Throws the REGISTRY_ codes.
   */
  async answerStranger(
    { url: origin, registry, endpoint }: Stranger,
    header: string | null,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const challenge = header === null ? undefined : parseChallenges(header)?.find(({ scheme }) => scheme === 'bearer');
    if (challenge?.scheme !== 'bearer') return undefined;
    const [, inPath] = /^\/v2\/(.+)\/(?:manifests|blobs|referrers)\/[^/]+$/.exec(origin.pathname) ?? [];
    const [repository = inPath] = challengedRepositories(header ?? '');
    if (repository === undefined) return undefined;
    const realm = { origin, repository, registry: { ...registry, via: origin }, endpoint };
    const limited = AbortSignal.any([signal, AbortSignal.timeout(MAX_REGISTRY_REQUEST_MS)]);
    const credential = { kind: 'anonymous' } as const;
    return (await authorizationBy(challenge, [repository], { realm, credential, signal: limited })).header;
  }

  #fresh(realm: Realm): Held | undefined {
    const held = this.#held.get(keyOf(realm));
    return held === undefined || held.expiresAt <= this.#now() ? undefined : held;
  }

  #start(realm: Realm, challenge: string | null, anew: boolean): Held {
    const key = keyOf(realm);
    const authorization = this.#authorize(realm, challenge, anew);
    const held: Held = {
      ...{ authorization, challenge, renewableAt: 0 },
      expiresAt: this.#now() + MAX_REGISTRY_REQUEST_MS,
    };
    this.#held.delete(key);
    this.#held.set(key, held);
    for (const oldest of this.#held.keys()) {
      if (this.#held.size <= MAX_AUTHORIZATIONS) break;
      this.#held.delete(oldest);
    }
    authorization.then(
      ({ header, lifetimeMs }) => {
        held.expiresAt = header === undefined ? 0 : this.#now() + lifetimeMs;
      },
      () => {
        // The next caller asks again.
        held.expiresAt = 0;
      },
    );
    return held;
  }

  /** Has a time limit of its own: those who share the answer may have more time than the one who asked first. */
  async #authorize(realm: Realm, header: string | null, anew: boolean): Promise<Authorization> {
    const signal = AbortSignal.timeout(MAX_REGISTRY_REQUEST_MS);
    const challenge = chooseChallenge(realm, header);
    const credential = await this.#credentials(realm.origin.host, signal, realm.repository, anew);
    // A registry below a path knows the repository by a longer name.
    const longer = challengedRepositories(header ?? '').filter((name) => name.endsWith(`/${realm.repository}`));
    const repositories = [realm.repository, ...longer];
    try {
      return await authorizationBy(challenge, repositories, { realm, credential, signal });
    } catch (error) {
      // The token service may deny a credential that a source has kept.
      if (anew || !(error instanceof EvidenceError) || error.code !== 'REGISTRY_UNAUTHORIZED') throw error;
      const other = await this.#credentials(realm.origin.host, signal, realm.repository, true);
      if (isDeepStrictEqual(other, credential)) throw error;
      return await authorizationBy(challenge, repositories, { realm, credential: other, signal });
    }
  }
}

async function authorizationBy(
  challenge: Challenge,
  repositories: readonly string[],
  { realm, credential, signal }: Caller,
): Promise<Authorization> {
  if (challenge.scheme === 'basic') {
    const header =
      credential.kind === 'password' ? basicAuthorization(credential.username, credential.password) : undefined;
    return { header, lifetimeMs: MAX_TOKEN_MS, credential };
  }
  if (credential.kind === 'registry-token') {
    return { header: `Bearer ${credential.token}`, lifetimeMs: MAX_TOKEN_MS, credential };
  }
  const { service } = challenge;
  const question = { service, scopes: repositories.map((name) => `repository:${name}:pull`) };
  const token = await askTokenService(challenge.realm, question, { realm, credential, signal });
  return { header: `Bearer ${token.value}`, lifetimeMs: token.lifetimeMs, credential };
}

function keyOf(realm: Realm): string {
  return `${realm.origin.origin} ${realm.repository}`;
}

function chooseChallenge(realm: Realm, header: string | null): Challenge {
  const challenges = header === null ? [] : (parseChallenges(header) ?? []);
  const chosen = challenges.find(({ scheme }) => scheme === 'bearer') ?? challenges[0];
  if (chosen === undefined) {
    throw new EvidenceError(
      'REGISTRY_UNAUTHORIZED',
      `${realm.origin.host}: got 401 and expected a Basic or Bearer challenge with it, found none that can be read`,
      { retryable: false },
    );
  }
  return chosen;
}

/** Waits for a shared answer no longer than this caller may. */
async function within<T>(realm: Realm, shared: Promise<T>, signal: AbortSignal): Promise<T> {
  const what = `authorization of ${realm.origin.host}`;
  if (signal.aborted) throw transportFailure(what, signal.reason, signal);
  const gaveUp = Promise.withResolvers<never>();
  const giveUp = () => gaveUp.reject(transportFailure(what, signal.reason, signal));
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    return await Promise.race([shared, gaveUp.promise]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}
