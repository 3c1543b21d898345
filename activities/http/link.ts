const LINK = /^<([^<>\s]*)>((?:\s*;\s*[a-zA-Z0-9*_-]+(?:=(?:"[^"]*"|[^\s",;]+))?)*)$/;
const REL = /;\s*rel=(?:"([^"]*)"|([^\s",;]+))/i;

/** What a `Link` header says about the next page; `malformed` must not be read as "no more pages". */
export type NextPage =
  | { readonly kind: 'last' }
  | { readonly kind: 'next'; readonly target: string }
  | { readonly kind: 'malformed' };

/** Parses `Link` (RFC 8288) for `rel="next"` as distribution-spec v1.1 pages its lists. */
export function parseNextLink(value: string | null): NextPage {
  if (value === null || value.trim() === '') return { kind: 'last' };
  let next: NextPage = { kind: 'last' };
  for (const part of splitLinks(value)) {
    const match = LINK.exec(part.trim());
    if (match === null) return { kind: 'malformed' };
    const rel = REL.exec(match[2] ?? '');
    const relations = (rel?.[1] ?? rel?.[2] ?? '').toLowerCase().split(' ');
    if (relations.includes('next') && next.kind === 'last') next = { kind: 'next', target: match[1] ?? '' };
  }
  return next;
}

/** Splits at the commas that stand neither between `<>` nor between quotes. */
function splitLinks(value: string): string[] {
  const parts: string[] = [];
  let start = 0;
  let closer = '';
  for (let at = 0; at < value.length; at++) {
    const char = value.charAt(at);
    if (closer !== '') closer = char === closer ? '' : closer;
    else if (char === '<') closer = '>';
    else if (char === '"') closer = '"';
    else if (char === ',') {
      parts.push(value.slice(start, at));
      start = at + 1;
    }
  }
  return [...parts, value.slice(start)];
}
