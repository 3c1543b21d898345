import { closeSync, existsSync, mkdirSync, statSync } from 'node:fs';
import type { Envelope } from '../../../workflows/verdict/verdict.ts';
import { parseWholeEnvelope } from '../../verdict-keys/verdict-keys.ts';
import { keyHash, MAX_RECORD_BYTES, readHead, readRecord, writeRecord } from './record.ts';
import {
  append,
  createSegment,
  listSegments,
  MAX_SEGMENT_BYTES,
  openSegment,
  readAt,
  removeSegment,
  type Segment,
} from './segments.ts';
import type { VerdictCache } from './verdict-cache.ts';

/** What a cache may grow to; the oldest segment goes first. */
export interface CacheLimits {
  readonly entries: number;
  readonly bytes: number;
  /** A segment that is longer gets no more records. */
  readonly segmentBytes: number;
}

/** Problems that are reported of one folder. */
const MAX_PROBLEMS = 20;

/** Segments of older starts that are read: each takes a descriptor. */
const MAX_SEGMENTS = 256;

/** More images than a node ever has, at some 4 KiB each. */
const LIMITS: CacheLimits = { entries: 10_000, bytes: 64 * 1024 * 1024, segmentBytes: MAX_SEGMENT_BYTES };

/** Where a record is. */
interface Place {
  readonly segment: Segment;
  readonly offset: number;
  readonly length: number;
  readonly goodUntilMs: number;
}

/**
 * Opens the cache in a folder of its own, which it makes. Throws when others than its owner may write there. Several
 * processes may have it open: each appends to a segment of its own, and finds what the others had kept when it opened. `onProblem` is
 * told, as a sentence, of what is there and can't be read.
 */
export function openVerdictCache(
  directory: string,
  limits: CacheLimits = LIMITS,
  onProblem: (problem: string) => void = () => {},
): VerdictCache {
  requirePrivate(directory);
  const cache = new Segments(directory, limits);
  cache.load(onProblem);
  return cache;
}

function requirePrivate(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const { mode, uid } = statSync(directory);
  if ((mode & 0o022) === 0 && (uid === process.geteuid?.() || uid === 0)) return;
  const found = `owner ${uid}, mode ${(mode & 0o7777).toString(8)}`;
  throw new Error(
    `verdict cache ${directory}: expected a folder that only its owner writes to, found ${found}; chmod 700`,
  );
}

class Segments implements VerdictCache {
  readonly #directory: string;
  readonly #limits: CacheLimits;
  /** By {@link keyHash}; envelopes stay on the disk. */
  readonly #places = new Map<string, Place>();
  /** Oldest first, with how many places lead there. */
  readonly #segments = new Map<Segment, number>();
  /** The one that is appended to. */
  #current: Segment | undefined;
  #lost = 0;

  constructor(directory: string, limits: CacheLimits) {
    this.#directory = directory;
    this.#limits = limits;
  }

  load(onProblem: (problem: string) => void): void {
    const paths = listSegments(this.#directory);
    const newest = paths.slice(-MAX_SEGMENTS);
    if (newest.length < paths.length) {
      onProblem(
        `expected at most ${MAX_SEGMENTS} segments in ${this.#directory}, found ${paths.length}: the oldest are not used`,
      );
    }
    let told = 0;
    for (const path of newest) {
      const opened = openSegment(path);
      if (typeof opened === 'string') {
        if (told++ < MAX_PROBLEMS) onProblem(opened);
        continue;
      }
      this.#segments.set(opened.segment, 0);
      this.#index(opened.segment, opened.content);
      this.#makeRoom();
    }
  }

  find(key: Parameters<VerdictCache['find']>[0]): Envelope | undefined {
    const hash = keyHash(key);
    const place = this.#places.get(hash);
    if (place === undefined) return undefined;
    try {
      return readRecord(readAt(place.segment, place.offset, place.length), hash);
    } catch {
      return undefined; // a disk that can't be read any more; the backend is asked
    }
  }

  keep(key: Parameters<VerdictCache['keep']>[0], envelope: Envelope, goodUntilMs: number): void {
    const hash = keyHash(key);
    const record = writeRecord({ hash, goodUntilMs }, envelope);
    // The line end is not read back.
    if (record.length - 1 > MAX_RECORD_BYTES || parseWholeEnvelope(envelope) === undefined) {
      this.#lost++;
      return;
    }
    try {
      const segment = this.#writable();
      this.#put(hash, { segment, offset: append(segment, record), length: record.length - 1, goodUntilMs });
      this.#makeRoom();
    } catch {
      this.#lost++; // the next one may find the disk well again
    }
  }

  stats(): ReturnType<VerdictCache['stats']> {
    const bytes = [...this.#segments.keys()].reduce((sum, segment) => sum + segment.bytes, 0);
    return { entries: this.#places.size, lost: this.#lost, bytes };
  }

  async close(): Promise<void> {
    for (const { fd } of this.#segments.keys()) closeSync(fd);
    this.#segments.clear();
    this.#places.clear();
    this.#current = undefined;
  }

  #index(segment: Segment, content: Buffer): void {
    for (let offset = 0; offset < content.length; ) {
      const end = content.indexOf(0x0a, offset);
      if (end < 0) return; // the last record was not written to its end
      if (this.#places.size > 2 * this.#limits.entries) return; // no cache of ours has so many
      const head = readHead(content.subarray(offset, end));
      if (head !== undefined && head.goodUntilMs > Date.now()) {
        this.#put(head.hash, { segment, offset, length: end - offset, goodUntilMs: head.goodUntilMs });
      }
      offset = end + 1;
    }
  }

  #put(hash: string, place: Place): void {
    const before = this.#places.get(hash);
    if (before !== undefined) this.#count(before.segment, -1);
    this.#places.delete(hash); // the newest is the last one
    this.#places.set(hash, place);
    this.#count(place.segment, 1);
  }

  #count(segment: Segment, by: number): void {
    const count = this.#segments.get(segment);
    if (count !== undefined) this.#segments.set(segment, count + by);
  }

  /** The segment to append to; a new one when it is full, or somebody removed it. */
  #writable(): Segment {
    const current = this.#current;
    if (current !== undefined && current.bytes < this.#limits.segmentBytes && existsSync(current.path)) return current;
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const fresh = createSegment(this.#directory);
    this.#segments.set(fresh, 0);
    this.#current = fresh;
    this.#forgetEnded();
    return fresh;
  }

  #forgetEnded(): void {
    const now = Date.now();
    for (const [hash, { segment, goodUntilMs }] of this.#places) {
      if (goodUntilMs > now) continue;
      this.#places.delete(hash);
      this.#count(segment, -1);
    }
  }

  /** Segments to which nothing leads go, and beyond the limits the oldest, with what is in them. */
  #makeRoom(): void {
    for (const [segment, count] of this.#segments) {
      if (segment === this.#current) continue;
      const { entries, bytes } = this.stats();
      if (count > 0 && entries <= this.#limits.entries && bytes <= this.#limits.bytes) continue;
      for (const [hash, place] of this.#places) if (place.segment === segment) this.#places.delete(hash);
      this.#segments.delete(segment);
      removeSegment(segment);
    }
  }
}
