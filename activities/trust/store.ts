import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { EvidenceError } from '../evidence-error.ts';
import { quote } from '../text/quote.ts';
import { createFixedRoot } from './fixed-root.ts';
import type { KnownRoot, TrustEvent } from './known-root.ts';
import { publicGoodSource } from './public-good.ts';
import { PUBLIC_GOOD, type TrustStore } from './trust-root.ts';
import type { TrustRootDocument, TrustRootSource } from './trust-root-document.ts';
import { removeAbandoned } from './tuf/abandoned-files.ts';
import { createTufCache, repositoryId } from './tuf/cache.ts';
import { httpMirror, memoryMirror } from './tuf/mirror.ts';
import { createTufRoot } from './tuf-root.ts';
import { isCurrent, whyUnusable } from './unusable-root.ts';

export interface TrustStoreOptions {
  /** Where what was seen of TUF repositories survives restarts; without it every start begins with the initial root. */
  readonly directory?: string;
  /** Unix time in ms. */
  readonly now?: () => number;
  /** Between two looks at a mirror while all is well, in ms; jittered by a quarter. */
  readonly refreshMs?: number;
  /** One request to a mirror, in ms. */
  readonly requestMs?: number;
  /** How long metadata is believed after its time, in ms. 0 unless an operator would rather trust old keys than stop. */
  readonly graceMs?: number;
  /** Told what each look at a source came to. Must not throw. */
  readonly onChange?: (event: TrustEvent) => void;
  /** What {@link PUBLIC_GOOD} means unless a document has that name. */
  readonly publicGood?: TrustRootSource;
}

/** One trust root, for people. */
export interface TrustRootStatus {
  readonly name: string;
  readonly from: string;
  readonly revision?: string;
  /** Unix time in ms. */
  readonly expires?: number;
  /** Why the last look was in vain. */
  readonly problem?: string;
}

export interface ManagedTrustStore extends TrustStore {
  /**
   * Takes over the documents of a policy set, of which those in `names` are in use; {@link PUBLIC_GOOD} is known without
   * a document. Resolves when all that needs no network is read and the new set is in place; what comes from a mirror is
   * being fetched then. A trust root whose document did not change stays as it is.
   */
  use(documents: readonly TrustRootDocument[], names: ReadonlySet<string>): Promise<void>;
  /** Looks at all mirrors now. Resolves when all have answered or failed. */
  refresh(): Promise<void>;
  /** Stops looking; what is known stays. */
  stop(): void;
  status(): readonly TrustRootStatus[];
}

const SIX_HOURS = 6 * 60 * 60 * 1000;

/** Makes the trust roots of a worker: read from memory only, kept fresh in the background. */
export function createTrustStore(options: TrustStoreOptions = {}): ManagedTrustStore {
  const { now = Date.now, graceMs = 0, onChange = () => {} } = options;
  let roots: ReadonlyMap<string, KnownRoot> = new Map();
  let turn: Promise<void> = Promise.resolve();
  let stopped = false;

  function create(name: string, source: TrustRootSource): KnownRoot {
    if (source.kind === 'keys') return createFixedRoot(name, source);
    const remote = source.kind === 'remote';
    const http = options.requestMs === undefined ? {} : { requestMs: options.requestMs };
    const mirror = remote ? httpMirror(source.mirror, http) : memoryMirror('its document', source.files);
    const targets = (remote ? source.targets : undefined) ?? 'targets';
    const id = idOf(source);
    // A document proves itself each time; only what a mirror said is worth keeping.
    const cache = remote && options.directory !== undefined ? createTufCache(options.directory, name, id) : undefined;
    const repository = { root: source.root, mirror, targets, target: source.target };
    const directory = options.directory ?? tmpdir();
    const refreshMs = options.refreshMs ?? SIX_HOURS;
    return createTufRoot({ name, id, repository, remote, directory, cache, now, refreshMs, onChange });
  }

  async function apply(documents: readonly TrustRootDocument[], names: ReadonlySet<string>): Promise<void> {
    if (options.directory !== undefined) await removeAbandoned(options.directory, now());
    const sources = new Map([...documents].map(({ name, source }) => [name, source] as const));
    if (names.has(PUBLIC_GOOD) && !sources.has(PUBLIC_GOOD)) {
      sources.set(PUBLIC_GOOD, options.publicGood ?? publicGoodSource());
    }
    const next = new Map<string, KnownRoot>();
    const fresh: KnownRoot[] = [];
    for (const [name, source] of sources) {
      if (!names.has(name)) continue;
      const made = create(name, source);
      const old = roots.get(name);
      if (old?.id === made.id) next.set(name, old);
      else {
        next.set(name, made);
        fresh.push(made);
      }
    }
    await Promise.all(fresh.map(async (root) => root.open()));
    const gone = [...roots.values()].filter((root) => next.get(root.name) !== root);
    roots = next;
    for (const root of gone) root.stop();
    for (const root of fresh) {
      if (stopped) root.stop();
      else root.start();
    }
  }

  return {
    find(name) {
      const root = roots.get(name);
      if (root === undefined) {
        const sentence = `the trust root ${quote(name)} is named by no policy any more; pull again`;
        throw new EvidenceError('POLICY_CHANGED', sentence, { retryable: false });
      }
      const error = whyUnusable(root, now(), graceMs);
      const { usable } = root.state();
      if (error !== undefined || usable === undefined) throw error ?? new Error('a trust root without content');
      return usable.root;
    },
    revision() {
      const lines = [...roots.values()].map((root) => {
        const { usable } = root.state();
        const current = usable !== undefined && isCurrent(usable, now(), graceMs);
        return `${root.name}\0${current ? usable.root.revision : 'unavailable'}\n`;
      });
      return createHash('sha256').update(lines.toSorted().join('')).digest('hex');
    },
    async use(documents, names) {
      // One after the other, so that the last one called is the one that stays.
      const run = async () => apply(documents, names);
      turn = turn.then(run, run);
      return turn;
    },
    async refresh() {
      await Promise.all([...roots.values()].map(async (root) => root.refresh()));
    },
    stop() {
      stopped = true;
      for (const root of roots.values()) root.stop();
    },
    status: () => [...roots.values()].map(statusOf),
  };
}

/** Another id is another source. */
function idOf(source: Exclude<TrustRootSource, { kind: 'keys' }>): string {
  if (source.kind === 'remote') {
    return repositoryId(source.root, source.mirror.href, source.targets ?? 'targets', source.target);
  }
  const hash = createHash('sha256').update('repository\0').update(source.root).update(source.target);
  for (const [path, bytes] of source.files) hash.update(`\0${path}\0${bytes.byteLength}\0`).update(bytes);
  return hash.digest('hex');
}

function statusOf(root: KnownRoot): TrustRootStatus {
  const { usable, failure } = root.state();
  return {
    name: root.name,
    from: root.from,
    ...(usable === undefined ? {} : { revision: usable.root.revision }),
    ...(usable?.expires === undefined ? {} : { expires: usable.expires }),
    ...(failure === undefined ? {} : { problem: failure.problem }),
  };
}
