import { MAX_MANIFEST_BYTES, MAX_REFERRER_PAGES } from '../limits.ts';
import type { Ask } from './ask.ts';
import { readBounded } from './bounded-body.ts';
import { misbehaved, unexpectedStatus } from './failure.ts';
import { parseNextLink } from './link.ts';
import { essence, OCI_INDEX } from './media-types.ts';
import { parseReferrerList, type ReferrerEntry, type ReferrerList } from './referrer-list.ts';
import { discard } from './transport.ts';

/** All pages of a list of referrers. */
export interface Listing extends ReferrerList {
  /** False when there were more pages than are followed. */
  readonly complete: boolean;
}

/** How registries without the referrers API answer: distribution 404, others 400, 405 or 406 (go-containerregistry `remote/referrers.go`). */
const UNSUPPORTED = new Set([400, 404, 405, 406]);

/**
 * Lists referrers (distribution-spec v1.1 "Listing Referrers"). `undefined` when the registry has no referrers API:
 * also for a 200 that is no index (sigstore-js#1187) and for GHCR's 303 to another host. Throws the REGISTRY_ codes.
 */
export async function listReferrersAt(
  ask: Ask,
  what: string,
  start: URL,
  newSignal: () => AbortSignal,
): Promise<Listing | undefined> {
  const entries: ReferrerEntry[] = [];
  let unreadable = 0;
  let url: URL | undefined = start;
  for (let page = 1; url !== undefined; page++) {
    if (page > MAX_REFERRER_PAGES) return { entries, unreadable, complete: false };
    const signal = newSignal();
    const answer = await ask({ what, method: 'GET', url, accept: OCI_INDEX, redirects: 'all-but-see-other' }, signal);
    const { response } = answer;
    const isIndex = essence(response.headers.get('content-type') ?? '') === OCI_INDEX;
    if (response.status !== 200 || !isIndex) await discard(response);
    if (page === 1 && (UNSUPPORTED.has(response.status) || response.status === 303)) return undefined;
    if (response.status !== 200) throw unexpectedStatus(what, page === 1 ? '200 or 404' : '200', response);
    if (!isIndex && page === 1) return undefined;
    if (!isIndex) throw misbehaved(what, `expected page ${page} to be an image index, got something else`, false);
    const list = await readPage(what, response, signal);
    entries.push(...list.entries);
    unreadable += list.unreadable;
    url = nextPage(what, answer.url, response.headers.get('link'));
  }
  return { entries, unreadable, complete: true };
}

async function readPage(what: string, response: Response, signal: AbortSignal): Promise<ReferrerList> {
  const body = await readBounded(what, response, MAX_MANIFEST_BYTES, signal);
  if (body === 'too-large') throw misbehaved(what, `expected pages of at most ${MAX_MANIFEST_BYTES} bytes`, false);
  const list = parseReferrerList(body);
  if (list === undefined) throw misbehaved(what, 'expected an image index in JSON, got something else', false);
  return list;
}

function nextPage(what: string, from: URL, header: string | null): URL | undefined {
  const link = parseNextLink(header);
  switch (link.kind) {
    case 'last':
      return undefined;
    case 'malformed':
      throw misbehaved(what, 'expected a Link header as in RFC 8288, got something else', false);
    case 'next': {
      const next = URL.canParse(link.target, from.href) ? new URL(link.target, from) : undefined;
      if (next?.origin === from.origin && next.username === '' && next.password === '') return next;
      throw misbehaved(what, `expected the next page on ${from.host}, got a link elsewhere`, false);
    }
  }
}
