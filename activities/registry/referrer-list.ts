import { type Digest, parseDigest } from '../../workflows/format/digest.ts';
import { JsonScan, type JsonValueSeen } from './json-scan.ts';
import { MAX_LISTED_OTHERS, MAX_LISTED_REFERRERS } from './listing-limits.ts';
import { isOtherKind } from './media-types.ts';

/** One descriptor of a list of referrers. */
export interface ReferrerEntry {
  readonly digest: Digest;
  /** A hint for the order of reading: registries lie about it, and nothing is left out because of it. */
  readonly artifactType: string;
  /** Another one: what a bundle states, where the list repeats the annotation (`BUNDLE_SPEC.md`). */
  readonly predicateType: string;
  /** Another one: bytes of the manifest, 0 where the list does not say. */
  readonly size: number;
}

export interface ReferrerList {
  readonly entries: readonly ReferrerEntry[];
  /** Descriptors of what may be evidence, without a digest that we can read. */
  readonly unreadable: number;
}

const BUNDLE_PREDICATE_TYPE = 'dev.sigstore.bundle.predicateType';

/** A digest has 71 characters and a media type at most 255: a longer text is none that matters here. */
const MAX_TEXT_BYTES = 512;

type Fields = { -readonly [Name in 'digest' | 'artifactType' | 'predicateType' | 'size']?: string | number };

/**
 * Reads a list of referrers (an OCI image index, image-spec v1.1 `image-index.md`) while its bytes arrive, and keeps
 * of each descriptor what matters. Its memory is bounded by {@link MAX_LISTED_REFERRERS}, not by the size of the list.
 */
export class ReferrerScan {
  readonly #wanted: Digest | undefined;
  readonly #likely: ReferrerEntry[] = [];
  readonly #others: ReferrerEntry[] = [];
  #json = this.#newJson();
  #unreadable = 0;
  #omitted = 0;
  #lists = 0;
  #isIndex = true;
  #isFound = false;
  /** Of the descriptor that is being read; `undefined` between two of them. */
  #fields: Fields | undefined;

  /** `wanted` is a manifest whose descriptor is looked for. */
  constructor(wanted?: Digest) {
    this.#wanted = wanted;
  }

  /** Begins the next page of the list: an index of its own. */
  beginPage(): void {
    this.#json = this.#newJson();
    this.#lists = 0;
    this.#isIndex = true;
    this.#fields = undefined;
  }

  /** Takes the next bytes of a page. What is no JSON is noticed at the latest by {@link endPage}. */
  write(chunk: Uint8Array): void {
    this.#json.write(chunk);
  }

  /** Whether all that was written of this page is one image index. */
  endPage(): boolean {
    return this.#json.end() && this.#isIndex && this.#lists === 1;
  }

  /** What was read so far; complete or not, each entry proves itself by its digest. */
  get list(): ReferrerList {
    return { entries: [...this.#likely, ...this.#others], unreadable: this.#unreadable };
  }

  /** Descriptors beyond those that are kept. */
  get omitted(): number {
    return this.#omitted;
  }

  /** Whether the descriptor that is looked for was there. */
  get isFound(): boolean {
    return this.#isFound;
  }

  /** Whether this page can still become an image index. */
  get isPossible(): boolean {
    return this.#json.isPossible && this.#isIndex;
  }

  #newJson(): JsonScan {
    return new JsonScan((value) => this.#see(value), MAX_TEXT_BYTES);
  }

  #see({ path, kind, text, number }: JsonValueSeen): void {
    if (path.length === 0 && kind !== 'object' && kind !== 'end') this.#isIndex = false;
    if (path[0] !== 'manifests') return;
    switch (path.length) {
      case 1:
        // `null` is how Go programs write an empty list. Of two lists, two readers would see two things.
        if (kind !== 'end' && ++this.#lists > 1) this.#isIndex = false;
        if (kind !== 'array' && kind !== 'null' && kind !== 'end') this.#isIndex = false;
        return;
      case 2:
        if (kind === 'object') this.#fields = {};
        else if (kind !== 'end') this.#unreadable++;
        else if (this.#fields !== undefined) this.#keep(this.#fields);
        if (kind !== 'object') this.#fields = undefined;
        return;
      case 3:
        if (path[2] === 'digest' && kind !== 'end') this.#set('digest', text ?? '');
        if (path[2] === 'artifactType' && kind !== 'end') this.#set('artifactType', text ?? '');
        if (path[2] === 'size' && kind !== 'end') this.#set('size', number ?? 0);
        return;
      case 4:
        if (path[2] === 'annotations' && path[3] === BUNDLE_PREDICATE_TYPE && kind !== 'end') {
          this.#set('predicateType', text ?? '');
        }
    }
  }

  /** A field that is there twice is none: two readers would see two things. */
  #set(name: keyof Fields, value: string | number): void {
    if (this.#fields !== undefined) this.#fields[name] = name in this.#fields ? '' : value;
  }

  #keep({ digest: text, artifactType, predicateType, size }: Fields): void {
    const digest = typeof text === 'string' ? parseDigest(text) : undefined;
    const type = typeof artifactType === 'string' ? artifactType : '';
    const isOther = isOtherKind(type);
    if (digest === undefined) {
      if (!isOther) this.#unreadable++;
      return;
    }
    const entry: ReferrerEntry = {
      digest,
      artifactType: type,
      predicateType: typeof predicateType === 'string' ? predicateType : '',
      size: typeof size === 'number' ? size : 0,
    };
    this.#isFound ||= digest === this.#wanted;
    const [kept, limit] = isOther ? [this.#others, MAX_LISTED_OTHERS] : [this.#likely, MAX_LISTED_REFERRERS];
    if (kept.length < limit) kept.push(entry);
    else this.#omitted++;
  }
}

/** Reads a whole list that is in memory; `undefined` when it is none. */
export function parseReferrerList(bytes: Uint8Array): ReferrerList | undefined {
  const scan = new ReferrerScan();
  scan.write(bytes);
  return scan.endPage() ? scan.list : undefined;
}
