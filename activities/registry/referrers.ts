import type { Digest } from '../../workflows/format/digest.ts';
import { EvidenceError } from '../evidence-error.ts';
import { eachChunk } from '../http/bounded-body.ts';
import { misbehaved } from '../http/failure.ts';
import { parseNextLink } from '../http/link.ts';
import { discard, type HttpResponse } from '../http/transport.ts';
import type { Ask } from './authorization/ask.ts';
import { unexpectedStatus } from './failure.ts';
import { LONG_LISTING_BYTES, MAX_LISTING_BYTES, MAX_REFERRER_PAGES } from './listing-limits.ts';
import { EVIDENCE_ARTIFACT_TYPES, essence, MANIFEST_ACCEPT, OCI_INDEX } from './media-types.ts';
import { type ReferrerEntry, type ReferrerList, ReferrerScan } from './referrer-list.ts';

/** What was read of a list of referrers. */
export interface Listing extends ReferrerList {
  /** False when the list goes on beyond what is read. */
  readonly complete: boolean;
  /** The manifest that was looked for is listed; what comes after it was not read. */
  readonly isFound?: true;
  /** Why the rest of the list could not be read. */
  readonly failure?: EvidenceError;
}

/** How much of a list is read. */
export interface ListingLimits {
  readonly pages: number;
  readonly bytes: number;
  /** Nothing is read beyond the descriptor of this manifest. */
  readonly until?: Digest;
}

export const FIRST_LISTING: ListingLimits = { pages: MAX_REFERRER_PAGES, bytes: MAX_LISTING_BYTES };

/** One question for a list, and how it is sent. */
export interface ListingQuestion {
  readonly ask: Ask;
  readonly what: string;
  readonly url: URL;
  /** Ends one page. */
  readonly newSignal: () => AbortSignal;
}

/** How registries without the referrers API answer: distribution 404, others 400, 405 or 406 (go-containerregistry `remote/referrers.go`). */
const UNSUPPORTED = new Set([400, 404, 405, 406]);

/**
 * Lists referrers (distribution-spec v1.1 "Listing Referrers"). `undefined` when the registry has no referrers API:
 * also for a 200 that is no index (sigstore-js#1187) and for GHCR's 303 to another host. A list that is long is also
 * asked for by the types of evidence, so that what else is in it does not hide evidence. Throws the REGISTRY_ codes when
 * nothing of the list could be read.
 */
export async function listReferrersAt(question: ListingQuestion, limits: ListingLimits): Promise<Listing | undefined> {
  let filtered: Promise<readonly ReferrerEntry[]> | undefined;
  const ended = new AbortController();
  const whole = await readList(question, limits, () => {
    filtered ??= listEvidence(question, limits, ended.signal);
  });
  const isEnough = whole === undefined || whole.complete || whole.isFound === true;
  if (isEnough) ended.abort();
  const more = isEnough ? [] : ((await filtered) ?? []);
  if (whole?.failure !== undefined && whole.entries.length === 0 && more.length === 0) throw whole.failure;
  return whole === undefined || more.length === 0 ? whole : { ...whole, entries: [...whole.entries, ...more] };
}

/**
 * Reads the image index at a tag as a list of referrers (distribution-spec v1.1 "Referrers Tag Schema"). `undefined`
 * when there is no such tag. Throws the REGISTRY_ codes when nothing of it could be read.
 */
export async function listTaggedAt(
  { ask, what, url, newSignal }: ListingQuestion,
  limits: ListingLimits,
): Promise<Listing | 'no-index' | undefined> {
  const signal = newSignal();
  const { response } = await ask({ what, method: 'GET', url, accept: MANIFEST_ACCEPT, redirects: 'all' }, signal);
  if (response.status !== 200) await discard(response);
  if (response.status === 404) return undefined;
  if (response.status !== 200) throw unexpectedStatus(what, '200 or 404', response);
  const scan = new ReferrerScan(limits.until);
  const read = (complete: boolean): Listing => ({
    ...scan.list,
    complete,
    ...(scan.isFound ? { isFound: true } : {}),
  });
  try {
    const length = await readPage(what, response, scan, { bytes: limits.bytes, onLong: () => undefined, signal });
    return length === 'no-index' ? length : read(length <= limits.bytes && !scan.isFound && scan.omitted === 0);
  } catch (error) {
    if (!(error instanceof EvidenceError) || scan.list.entries.length === 0) throw error;
    return { ...read(false), failure: error };
  }
}

/** What a registry that filters lists as evidence. A registry that does not filter has said all that it says already. */
async function listEvidence(
  question: ListingQuestion,
  limits: ListingLimits,
  ended: AbortSignal,
): Promise<readonly ReferrerEntry[]> {
  const lists = EVIDENCE_ARTIFACT_TYPES.map(async (type) => {
    const url = new URL(question.url);
    url.searchParams.set('artifactType', type);
    const newSignal = () => AbortSignal.any([ended, question.newSignal()]);
    try {
      return await readList({ ...question, url, newSignal }, limits, () => undefined, type);
    } catch (error) {
      if (error instanceof EvidenceError) return undefined;
      throw error;
    }
  });
  return (await Promise.all(lists)).flatMap((list) => list?.entries ?? []);
}

/** Reads the pages of one list, in memory that does not depend on their size. `filter` is the type that it has to be filtered by. */
async function readList(
  question: ListingQuestion,
  limits: ListingLimits,
  onLong: () => void,
  filter?: string,
): Promise<Listing | undefined> {
  const scan = new ReferrerScan(limits.until);
  const read = (complete: boolean, failure?: EvidenceError): Listing => ({
    ...scan.list,
    complete,
    ...(scan.isFound ? { isFound: true } : {}),
    ...(failure === undefined ? {} : { failure }),
  });
  let url: URL | undefined = question.url;
  let left = limits.bytes;
  try {
    for (let page = 1; url !== undefined; page++) {
      if (page > limits.pages) return read(false);
      if (page > 1) onLong();
      const signal = question.newSignal();
      const answer = await askForPage(question, url, page, filter, signal);
      if (answer === undefined) return undefined;
      const length = await readPage(question.what, answer.response, scan, { bytes: left, onLong, signal });
      if (length === 'no-index') {
        throw misbehaved(question.what, 'expected an image index in JSON, got something else', false);
      }
      left -= length;
      if (left < 0 && scan.list.entries.length === 0) {
        throw misbehaved(question.what, `expected descriptors in the first ${limits.bytes} bytes, got none`, false);
      }
      if (scan.isFound || left < 0) return read(false);
      url = nextPage(question, answer.url, answer.response.headers.get('link'));
    }
  } catch (error) {
    if (error instanceof EvidenceError) return read(false, error);
    throw error;
  }
  return read(scan.omitted === 0);
}

/** `undefined` when the registry has no such API, or does not filter as it is asked to. */
async function askForPage(
  { ask, what }: ListingQuestion,
  url: URL,
  page: number,
  filter: string | undefined,
  signal: AbortSignal,
): Promise<HttpResponse | undefined> {
  const redirects = 'all-but-see-other';
  const answer = await ask({ what, method: 'GET', url, accept: OCI_INDEX, redirects }, signal);
  const { status, headers } = answer.response;
  const isIndex = essence(headers.get('content-type') ?? '') === OCI_INDEX;
  const isFiltered = filter === undefined || /\bartifactType\b/.test(headers.get('oci-filters-applied') ?? '');
  if (status === 200 && isIndex && isFiltered) return answer;
  await discard(answer.response);
  if (page === 1 && (UNSUPPORTED.has(status) || status === 303)) return undefined;
  if (status !== 200) throw unexpectedStatus(what, page === 1 ? '200 or 404' : '200', answer.response);
  if (page === 1 || !isFiltered) return undefined;
  throw misbehaved(what, `expected page ${page} to be an image index, got something else`, false);
}

/** Reads one page until it ends, the manifest that is looked for was there, or too much was read. Answers its bytes. */
async function readPage(
  what: string,
  response: Response,
  scan: ReferrerScan,
  { bytes, onLong, signal }: { readonly bytes: number; readonly onLong: () => void; readonly signal: AbortSignal },
): Promise<number | 'no-index'> {
  let length = 0;
  scan.beginPage();
  for await (const chunk of eachChunk(what, response, signal)) {
    scan.write(chunk);
    length += chunk.byteLength;
    if (length > LONG_LISTING_BYTES) onLong();
    if (length > bytes || scan.isFound) return length;
    if (!scan.isPossible) return 'no-index';
  }
  return scan.endPage() ? length : 'no-index';
}

/**
 * The next page: at the registry itself or where it redirected to, whatever host an absolute URL names. A registry behind a proxy names itself
 * by names of its own.
 */
function nextPage({ what, url: asked }: ListingQuestion, from: URL, header: string | null): URL | undefined {
  const link = parseNextLink(header);
  switch (link.kind) {
    case 'last':
      return undefined;
    case 'malformed':
      throw misbehaved(what, 'expected a Link header as in RFC 8288, got something else', false);
    case 'next': {
      const next = URL.canParse(link.target, from.href) ? new URL(link.target, from) : undefined;
      if (next?.protocol !== 'https:' && next?.protocol !== 'http:') {
        throw misbehaved(what, 'expected a next page by https or http, got another link', false);
      }
      const page = new URL(next.origin === asked.origin ? asked.origin : from.origin);
      page.pathname = next.pathname;
      page.search = next.search;
      return page;
    }
  }
}
