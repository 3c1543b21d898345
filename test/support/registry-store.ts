import { createHash, randomUUID } from 'node:crypto';
import type { Answer } from './registry-fault.ts';

/** How the registry answers the referrers API. */
export type ReferrersMode =
  | 'api'
  /** 404: the registry has no such API. */
  | 'none'
  /** The artifact type of every entry reads `application/vnd.oci.empty.v1+json`. */
  | 'lying'
  /** One entry for each page. */
  | 'paged'
  /** 200 with an HTML page. */
  | 'html';

interface StoredManifest {
  readonly body: Uint8Array;
  readonly mediaType: string;
}

export interface StoreRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Uint8Array;
}

const INDEX = 'application/vnd.oci.image.index.v1+json';

/** What a registry keeps, and how it answers when nothing goes wrong (distribution-spec v1.1, pull, push and discovery). */
export class RegistryStore {
  readonly #referrers: ReferrersMode;
  readonly #blobs = new Map<string, Uint8Array>();
  readonly #manifests = new Map<string, StoredManifest>();
  /** By `repository:tag`. */
  readonly #tags = new Map<string, string>();
  readonly #uploads = new Map<string, Uint8Array>();

  constructor(referrers: ReferrersMode) {
    this.#referrers = referrers;
  }

  answer(request: StoreRequest): Answer {
    const { pathname } = request.url;
    if (pathname === '/v2/' || pathname === '/v2') return json(200, {});
    const [, repository = '', kind = '', reference = ''] =
      /^\/v2\/(.+)\/(manifests|blobs|referrers|tags)\/(.*)$/.exec(pathname) ?? [];
    if (kind === 'blobs') {
      const isUpload = /^(.+)\/blobs\/uploads\/?(.*)$/.exec(pathname.slice('/v2/'.length));
      return isUpload === null ? this.#blob(reference) : this.#upload(isUpload[1] ?? '', isUpload[2] ?? '', request);
    }
    if (kind === 'manifests') {
      if (request.method !== 'PUT') return this.#manifest(repository, reference);
      return this.putManifest(repository, reference, request.body, String(request.headers['content-type']));
    }
    if (kind === 'referrers') return this.#listReferrers(repository, reference, request.url);
    if (kind === 'tags') return this.#listTags(repository);
    return refusal(404, 'NOT_FOUND');
  }

  putBlob(body: Uint8Array): string {
    const digest = sha256(body);
    this.#blobs.set(digest, body);
    return digest;
  }

  /** As an administrator deletes content; its tags go with a manifest. */
  delete(repository: string, digest: string): void {
    this.#blobs.delete(digest);
    this.#manifests.delete(`${repository}@${digest}`);
    for (const [key, target] of this.#tags) {
      if (target === digest && key.startsWith(`${repository}:`)) this.#tags.delete(key);
    }
  }

  putManifest(repository: string, reference: string, body: Uint8Array, mediaType: string): Answer {
    const digest = sha256(body);
    if (reference.startsWith('sha256:') && reference !== digest) return refusal(400, 'DIGEST_INVALID');
    this.#manifests.set(`${repository}@${digest}`, { body, mediaType });
    if (!reference.startsWith('sha256:')) this.#tags.set(`${repository}:${reference}`, digest);
    const subject = subjectOf(body);
    const location = `/v2/${repository}/manifests/${digest}`;
    const ours = subject === undefined || this.#referrers === 'none' ? {} : { 'oci-subject': subject };
    return { ...empty(201), headers: { location, 'docker-content-digest': digest, ...ours } };
  }

  #manifest(repository: string, reference: string): Answer {
    const digest = reference.startsWith('sha256:') ? reference : this.#tags.get(`${repository}:${reference}`);
    const found = this.#manifests.get(`${repository}@${digest}`);
    if (digest === undefined || found === undefined) return refusal(404, 'MANIFEST_UNKNOWN');
    const headers = { 'content-type': found.mediaType, 'docker-content-digest': digest };
    return { status: 200, headers, body: found.body };
  }

  #blob(digest: string): Answer {
    const body = this.#blobs.get(digest);
    if (body === undefined) return refusal(404, 'BLOB_UNKNOWN');
    const headers = { 'content-type': 'application/octet-stream', 'docker-content-digest': digest };
    return { status: 200, headers, body };
  }

  #upload(repository: string, id: string, { method, url, body }: StoreRequest): Answer {
    const known = this.#uploads.get(id) ?? new Uint8Array();
    const content = Buffer.concat([known, body]);
    const digest = url.searchParams.get('digest');
    const mounted = url.searchParams.get('mount') ?? '';
    if (method === 'POST' && this.#blobs.has(mounted)) return created(repository, mounted);
    if (digest !== null && (method === 'PUT' || method === 'POST')) {
      if (sha256(content) !== digest) return refusal(400, 'DIGEST_INVALID');
      this.#uploads.delete(id);
      this.#blobs.set(digest, content);
      return created(repository, digest);
    }
    const upload = method === 'POST' ? randomUUID() : id;
    this.#uploads.set(upload, content);
    const range = `0-${Math.max(content.byteLength - 1, 0)}`;
    return { ...empty(202), headers: { location: `/v2/${repository}/blobs/uploads/${upload}`, range } };
  }

  #listReferrers(repository: string, digest: string, url: URL): Answer {
    if (this.#referrers === 'none') return refusal(404, 'NOT_FOUND');
    if (this.#referrers === 'html') {
      return { status: 200, headers: { 'content-type': 'text/html' }, body: Buffer.from('<p>Welcome</p>') };
    }
    const all = [...this.#manifests].filter(
      ([key, { body }]) => key.startsWith(`${repository}@`) && subjectOf(body) === digest,
    );
    const page = Number(url.searchParams.get('page') ?? 0);
    const isPaged = this.#referrers === 'paged';
    const shown = isPaged ? all.slice(page, page + 1) : all;
    const manifests = shown.map(([key, stored]) => this.#describe(key.slice(repository.length + 1), stored));
    const answer = json(200, { schemaVersion: 2, mediaType: INDEX, manifests }, INDEX);
    if (!isPaged || page + 1 >= all.length) return answer;
    return { ...answer, headers: { ...answer.headers, link: `<${url.pathname}?page=${page + 1}>; rel="next"` } };
  }

  #describe(digest: string, { body, mediaType }: StoredManifest) {
    const manifest = parse(body);
    const type = manifest.artifactType ?? manifest.config?.mediaType;
    const artifactType = this.#referrers === 'lying' ? 'application/vnd.oci.empty.v1+json' : type;
    const annotations = this.#referrers === 'lying' ? undefined : manifest.annotations;
    return { mediaType, digest, size: body.byteLength, artifactType, annotations };
  }

  #listTags(repository: string): Answer {
    if (![...this.#manifests.keys()].some((key) => key.startsWith(`${repository}@`)))
      return refusal(404, 'NAME_UNKNOWN');
    const prefix = `${repository}:`;
    const tags = [...this.#tags.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
    return json(200, { name: repository, tags });
  }
}

/** The sha256 digest of some bytes, as registries write it. */
export function sha256(body: Uint8Array): string {
  return `sha256:${createHash('sha256').update(body).digest('hex')}`;
}

/** An answer in JSON. */
export function json(status: number, value: unknown, contentType = 'application/json'): Answer {
  return { status, headers: { 'content-type': contentType }, body: Buffer.from(JSON.stringify(value)) };
}

/** An error as registries word it. */
export function refusal(status: number, code: string): Answer {
  return json(status, { errors: [{ code, message: code.toLowerCase() }] });
}

function created(repository: string, digest: string): Answer {
  const location = `/v2/${repository}/blobs/${digest}`;
  return { ...empty(201), headers: { location, 'docker-content-digest': digest } };
}

function empty(status: number): Answer {
  return { status, headers: {}, body: new Uint8Array() };
}

interface ManifestFields {
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly config?: { readonly mediaType?: string };
  readonly subject?: { readonly digest?: string };
}

/** Tests push junk as well: what is no JSON has no fields. */
function parse(body: Uint8Array): ManifestFields {
  try {
    // Only tests write here, and every field is optional.
    return JSON.parse(Buffer.from(body).toString('utf8')) as ManifestFields;
  } catch {
    return {};
  }
}

function subjectOf(body: Uint8Array): string | undefined {
  return parse(body).subject?.digest;
}
