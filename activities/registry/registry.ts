import type { Digest } from '../../workflows/format/digest.ts';
import { parseDigest } from '../../workflows/format/digest.ts';
import { EvidenceError } from '../evidence-error.ts';
import { misbehaved } from '../http/failure.ts';
import { discard } from '../http/transport.ts';
import {
  DEFAULT_EVIDENCE_BYTES,
  MAX_CACHED_EVIDENCE_BYTES,
  MAX_MANIFEST_BYTES,
  MAX_REGISTRY_REQUEST_MS,
} from '../limits.ts';
import { type Ask, askAt } from './authorization/ask.ts';
import { Authorizer } from './authorization/authorizer.ts';
import { EvidenceCache } from './cache.ts';
import type { CredentialSource } from './credentials/credential.ts';
import { dockerCredentials } from './credentials/docker-credentials.ts';
import { originOnly, type RegistryEndpoint, type RegistryEndpoints, urlAt } from './endpoints/endpoints.ts';
import { unexpectedStatus } from './failure.ts';
import { MANIFEST_ACCEPT } from './media-types.ts';
import { getContent, type KeepPlace } from './read-content.ts';
import { FIRST_LISTING, type Listing, type ListingLimits, listReferrersAt, listTaggedAt } from './referrers.ts';
import type { Repository } from './repository.ts';
import { type Question, RequestShare } from './request-share.ts';

export interface Manifest {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

/** What a HEAD said: not proven by anything. */
export interface ManifestHead {
  readonly digest: Digest | undefined;
}

/**
 * Reads from registries (distribution-spec v1.1), and only reads. `undefined` means absent, on the origin's own 404;
 * everything that could not be found out is thrown with a REGISTRY_ code, content beyond its limit as
 * EVIDENCE_TOO_LARGE. Bytes asked for by digest have that digest.
 */
export interface Registry {
  getManifest(name: Repository, reference: string, signal: AbortSignal): Promise<Manifest | undefined>;
  headManifest(name: Repository, tag: string, signal: AbortSignal): Promise<ManifestHead | undefined>;
  /** The largest layer of evidence that is read, in bytes. */
  readonly maxEvidenceBytes: number;
  /** Of at most `maxBytes`; without it, of as many as any evidence may have. */
  getBlob(
    name: Repository,
    digest: Digest,
    signal: AbortSignal,
    limits?: { readonly maxBytes?: number; readonly keepPlace?: KeepPlace },
  ): Promise<Uint8Array | undefined>;
  /** `undefined` when the registry has no referrers API. A list that could be read in part carries its failure. */
  listReferrers(
    name: Repository,
    digest: Digest,
    signal: AbortSignal,
    limits?: ListingLimits,
  ): Promise<Listing | undefined>;
  /** The image index at a tag, read as a list of referrers; `no-index` when something else is there. */
  listTagged(
    name: Repository,
    tag: string,
    signal: AbortSignal,
    limits?: ListingLimits,
  ): Promise<Listing | 'no-index' | undefined>;
  /** Whether the registry itself knows the repository, whatever is in it. */
  hasRepository(name: Repository, signal: AbortSignal): Promise<boolean>;
  /** Whether the cache holds this content: it may be gone where it came from. */
  remembers(digest: Digest): boolean;
  /** Whether the registry itself has this content now, whatever the cache and mirrors hold. */
  has(name: Repository, kind: 'manifests' | 'blobs', digest: Digest, signal: AbortSignal): Promise<boolean>;
}

export interface RegistryOptions {
  /** Registries (`host` or `host:port`) that are spoken to over plain HTTP; loopback ones are anyway. */
  readonly plainHttp?: readonly string[];
  /** Where a registry's content is; without it, at the registry itself. */
  readonly endpoints?: RegistryEndpoints;
  /** Without it, docker's. */
  readonly credentials?: CredentialSource;
  readonly cache?: EvidenceCache;
  /** The largest layer of evidence that is read; {@link DEFAULT_EVIDENCE_BYTES} without it. */
  readonly maxEvidenceBytes?: number;
  /** One request, in ms. */
  readonly requestTimeoutMs?: number;
}

/** A registry reader over HTTP; one for a whole worker, since it holds the tokens and the evidence cache. */
export function createRegistry(options: RegistryOptions): Registry {
  const authorizer = new Authorizer(options.credentials ?? dockerCredentials());
  const cache = options.cache ?? new EvidenceCache(MAX_CACHED_EVIDENCE_BYTES);
  const endpoints = options.endpoints ?? originOnly(options.plainHttp);
  const maxEvidenceBytes = options.maxEvidenceBytes ?? DEFAULT_EVIDENCE_BYTES;
  const timeoutMs = options.requestTimeoutMs ?? MAX_REGISTRY_REQUEST_MS;
  const limited = (signal: AbortSignal) => AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  /** Content by its digest is the same wherever it is. */
  const places = async (name: Repository) => await endpoints(name.registry);
  /** Which tags and referrers there are only the registry itself knows: a mirror may be as old as it likes. */
  const origin = async (name: Repository) => (await places(name)).filter((endpoint) => endpoint.origin);
  const askOf = (endpoint: RegistryEndpoint, name: Repository) => askAt(authorizer, endpoint, name);

  return {
    async getManifest(name, reference, signal) {
      const digest = parseDigest(reference);
      const held = digest === undefined ? undefined : cache.get(digest);
      if (digest !== undefined && held !== undefined) return { digest, bytes: held };
      const what = `GET manifest ${shortReference(reference)} of ${name.registry}/${name.repository}`;
      const found = await firstFound(
        { what, name, reference, signal },
        await (digest === undefined ? origin : places)(name),
        async (endpoint) => {
          const url = urlAt(endpoint, `${name.repository}/manifests/${reference}`);
          const request = { what, method: 'GET', url, accept: MANIFEST_ACCEPT, redirects: 'all' } as const;
          return getContent(askOf(endpoint, name), request, { digest, maxBytes: MAX_MANIFEST_BYTES }, limited(signal));
        },
      );
      if (found !== undefined) cache.put(found.digest, found.bytes);
      return found;
    },

    async headManifest(name, tag, signal) {
      const what = `HEAD manifest ${shortReference(tag)} of ${name.registry}/${name.repository}`;
      return firstFound({ what, name, reference: tag, signal }, await origin(name), async (endpoint) => {
        const url = urlAt(endpoint, `${name.repository}/manifests/${tag}`);
        const request = { what, method: 'HEAD', url, accept: MANIFEST_ACCEPT, redirects: 'all' } as const;
        const { response } = await askOf(endpoint, name)(request, limited(signal));
        await discard(response);
        if (response.status === 404) return undefined;
        // Registries without HEAD: the caller reads the manifest itself.
        if (response.status === 405 || response.status === 501) return { digest: undefined };
        if (response.status !== 200) throw unexpectedStatus(what, '200 or 404', response);
        return { digest: parseDigest(response.headers.get('docker-content-digest') ?? '') };
      });
    },

    maxEvidenceBytes,

    async getBlob(name, digest, signal, { maxBytes = maxEvidenceBytes, keepPlace } = {}) {
      const held = cache.get(digest);
      if (held !== undefined) return held;
      const what = `GET blob ${shortReference(digest)} of ${name.registry}/${name.repository}`;
      const found = await firstFound(
        { what, name, reference: digest, signal },
        await places(name),
        async (endpoint) => {
          const url = urlAt(endpoint, `${name.repository}/blobs/${digest}`);
          const request = { what, method: 'GET', url, redirects: 'all' } as const;
          return getContent(askOf(endpoint, name), request, { digest, maxBytes, keepPlace }, limited(signal));
        },
      );
      if (found !== undefined) cache.put(digest, found.bytes);
      return found?.bytes;
    },

    async listReferrers(name, digest, signal, limits = FIRST_LISTING) {
      const what = `GET referrers of ${name.registry}/${name.repository}`;
      return firstFound({ what, name, reference: digest, signal }, await origin(name), (endpoint) => {
        const url = urlAt(endpoint, `${name.repository}/referrers/${digest}`);
        const question = { ask: askOf(endpoint, name), what, url, newSignal: () => limited(signal) };
        return listReferrersAt(question, limits);
      });
    },

    async listTagged(name, tag, signal, limits = FIRST_LISTING) {
      const what = `GET manifest ${tag} of ${name.registry}/${name.repository}`;
      return firstFound({ what, name, reference: tag, signal }, await origin(name), (endpoint) => {
        const url = urlAt(endpoint, `${name.repository}/manifests/${tag}`);
        const question = { ask: askOf(endpoint, name), what, url, newSignal: () => limited(signal) };
        return listTaggedAt(question, limits);
      });
    },

    async hasRepository(name, signal) {
      const what = `GET tags of ${name.registry}/${name.repository}`;
      const found = await firstFound({ what, name, reference: '', signal }, await origin(name), async (endpoint) => {
        const url = urlAt(endpoint, `${name.repository}/tags/list`);
        url.searchParams.set('n', '1');
        const request = { what, method: 'GET', url, redirects: 'all' } as const;
        const { response } = await askOf(endpoint, name)(request, limited(signal));
        await discard(response);
        if (response.status === 404) return undefined;
        if (response.status !== 200) throw unexpectedStatus(what, '200 or 404', response);
        return true;
      });
      return found === true;
    },

    remembers: (digest) => cache.get(digest) !== undefined,

    async has(name, kind, digest, signal) {
      const what = `HEAD ${kind === 'blobs' ? 'blob' : 'manifest'} ${shortReference(digest)} of ${name.registry}/${name.repository}`;
      const found = await firstFound({ what, name, reference: digest, signal }, await origin(name), (endpoint) => {
        const url = urlAt(endpoint, `${name.repository}/${kind}/${digest}`);
        const maxBytes = kind === 'blobs' ? maxEvidenceBytes : MAX_MANIFEST_BYTES;
        return isThere(askOf(endpoint, name), { what, url }, { digest, maxBytes }, limited(signal));
      });
      return found === true;
    },
  };
}

/** A redirect says where the content is. A registry that answers HEAD in another way is asked for the bytes. */
async function isThere(
  ask: Ask,
  { what, url }: { readonly what: string; readonly url: URL },
  expected: { readonly digest: Digest; readonly maxBytes: number },
  signal: AbortSignal,
): Promise<true | undefined> {
  const request = { what, url, accept: MANIFEST_ACCEPT } as const;
  const { response } = await ask({ ...request, method: 'HEAD', redirects: 'none' }, signal);
  await discard(response);
  if (response.status === 200 || (response.status >= 300 && response.status < 400)) return true;
  if (response.status === 404) return undefined;
  const content = await getContent(ask, { ...request, method: 'GET', redirects: 'all' }, expected, signal);
  return content === undefined ? undefined : true;
}

/** Requests of this process; a registry that gives no answer must leave room for those that do. */
const requests = new RequestShare();

/**
 * Asks the places in order; what one lacks or fails at, another may have. Absent only when the origin says so: where it is
 * configured in several ways, by the first that is connected to. An origin that answers with an error is not overruled by
 * another way to it, which may lead to less.
 */
async function firstFound<T>(
  question: Question,
  places: readonly RegistryEndpoint[],
  ask: (endpoint: RegistryEndpoint) => Promise<T | undefined>,
): Promise<T | undefined> {
  const { what } = question;
  let isAbsent = false;
  let failure: unknown;
  let answered: EvidenceError | undefined;
  for (const endpoint of places) {
    if (endpoint.origin && isAbsent) continue;
    try {
      const found = await requests.ask(question, () => ask(endpoint));
      if (found !== undefined) return found;
      isAbsent ||= endpoint.origin;
    } catch (error) {
      failure = error;
      if (endpoint.origin && error instanceof EvidenceError && error.code !== 'REGISTRY_UNREACHABLE')
        answered ??= error;
    }
  }
  if (answered !== undefined) throw answered;
  if (isAbsent) return undefined;
  throw failure ?? misbehaved(what, 'expected the registry itself among its endpoints, found mirrors only', false);
}

/** Enough of a digest to be recognised; a tag is short by itself. */
function shortReference(reference: string): string {
  return parseDigest(reference) === undefined ? reference : reference.slice(0, 'sha256:'.length + 12);
}
