import { MAX_TUF_REFRESH_MS } from '../limits.ts';
import { quote } from '../text/quote.ts';
import type { KnownRoot, RootState, TrustEvent, UsableRoot } from './known-root.ts';
import { refreshDelay } from './refresh-delay.ts';
import { toTrustRoot } from './trust-root.ts';
import { readTrustedRootJson } from './trusted-root/trusted-root-json.ts';
import type { TufCache, TufMemory } from './tuf/cache.ts';
import { type ProvenTarget, type TufMetadata, verifyRoots, verifyTarget } from './tuf/metadata.ts';
import { type TufFailure, type TufRepository, updateRepository } from './tuf/update.ts';

export interface TufRootOptions {
  readonly name: string;
  readonly id: string;
  readonly repository: TufRepository;
  /** False for a repository that stands in its document: one look is all. */
  readonly remote: boolean;
  /** Where an update may work. */
  readonly directory: string;
  readonly cache: TufCache | undefined;
  readonly now: () => number;
  /** Between two looks that find something, in ms. */
  readonly refreshMs: number;
  readonly onChange: (event: TrustEvent) => void;
}

/**
 * A trust root out of a TUF repository. What was proven last stays in use until its metadata ends, whatever the mirror
 * does; a newer one takes its place in one step, and only when it is proven and can be used.
 */
export function createTufRoot(options: TufRootOptions): KnownRoot {
  const { name, repository, cache } = options;
  let state: RootState = { attempted: false };
  let memory: TufMemory = { metadata: { roots: [] } };
  let running: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let failures = 0;
  const stopped = new AbortController();

  async function look(): Promise<void> {
    const deadline = new AbortController();
    const limit = setTimeout(() => deadline.abort(), MAX_TUF_REFRESH_MS).unref();
    const signal = AbortSignal.any([deadline.signal, stopped.signal]);
    try {
      const update = await updateRepository(repository, memory.metadata, { directory: options.directory, signal });
      if (stopped.signal.aborted) return;
      const { metadata, result } = update;
      const adopted = result.ok ? await adopt(metadata, result.proven) : result;
      memory = { metadata, ...(adopted.ok && result.ok ? { proven: result.proven } : provenOf(memory)) };
      if (adopted.ok) succeed(adopted.usable);
      else fail(adopted.failure);
    } catch (error) {
      fail({ kind: 'unreachable', problem: `the update could not be made here (${codeOf(error)})` });
    } finally {
      clearTimeout(limit);
    }
    await keep();
  }

  async function adopt(metadata: TufMetadata, proven: ProvenTarget): Promise<Adopted> {
    try {
      const { expires } = await verifyTarget(repository.root, metadata.roots, proven, repository.target);
      const read = readTrustedRootJson(name, proven.target, 'tolerate');
      if (!read.ok) return refused(`its ${repository.target}: ${read.problem}`);
      if (read.document.source.kind !== 'keys') return refused('it holds no keys');
      const { root, origins } = read.document.source;
      if (read.passedOver !== undefined) options.onChange({ kind: 'passed-over', name, problem: read.passedOver });
      return { ok: true, usable: { root: toTrustRoot(name, root, origins), expires } };
    } catch (error) {
      return refused(`its metadata does not hold: ${quote(messageOf(error))}`);
    }
  }

  function succeed(usable: UsableRoot): void {
    const changed = state.usable?.root.revision !== usable.root.revision;
    failures = 0;
    // An equal one stays the same object: whoever holds it sees that nothing changed.
    state = { usable: changed ? usable : { ...usable, root: state.usable?.root ?? usable.root }, attempted: true };
    options.onChange({ kind: 'refreshed', name, revision: usable.root.revision, changed, expires: usable.expires });
  }

  function fail(failure: TufFailure): void {
    if (stopped.signal.aborted) return;
    failures += 1;
    const { usable } = state;
    state = { ...(usable === undefined ? {} : { usable }), failure, attempted: true };
    const until = usable?.expires === undefined ? {} : { usableUntil: usable.expires };
    options.onChange({ kind: 'failed', name, problem: failure.problem, ...until });
  }

  async function keep(): Promise<void> {
    try {
      await cache?.write(memory);
    } catch (error) {
      options.onChange({ kind: 'not-kept', name, problem: `the cache can't be written (${codeOf(error)})` });
    }
  }

  /** Takes over what a former run kept, as far as it proves itself. */
  async function recall(): Promise<void> {
    try {
      const kept = await cache?.read();
      if (kept === undefined) return;
      verifyRoots(repository.root, kept.metadata.roots);
      memory = { metadata: kept.metadata };
      if (kept.proven === undefined) return;
      const adopted = await adopt(kept.metadata, kept.proven);
      if (!adopted.ok) throw new Error(adopted.failure.problem);
      memory = kept;
      state = { usable: adopted.usable, attempted: false };
    } catch (error) {
      const problem = `what was kept of it is left aside: ${quote(messageOf(error))}`;
      options.onChange({ kind: 'failed', name, problem });
    }
  }

  async function refresh(): Promise<void> {
    running ??= look().finally(() => {
      running = undefined;
    });
    return running;
  }

  function schedule(): void {
    if (stopped.signal.aborted) return;
    const usable = state.usable === undefined ? {} : { expires: state.usable.expires };
    const delay = refreshDelay({ ...usable, failures, now: options.now(), refreshMs: options.refreshMs });
    timer = setTimeout(() => void turn(), delay).unref();
  }

  async function turn(): Promise<void> {
    await refresh();
    schedule();
  }

  return {
    name,
    from: repository.mirror.name,
    mayChange: options.remote,
    id: options.id,
    state: () => state,
    open: async () => (options.remote ? recall() : refresh()),
    start() {
      if (options.remote) void turn();
    },
    refresh: async () => (options.remote ? refresh() : undefined),
    stop() {
      stopped.abort();
      clearTimeout(timer);
    },
  };
}

type Adopted =
  | { readonly ok: true; readonly usable: UsableRoot }
  | { readonly ok: false; readonly failure: TufFailure };

function refused(problem: string): Adopted {
  return { ok: false, failure: { kind: 'refused', problem } };
}

function provenOf({ proven }: TufMemory): { readonly proven?: ProvenTarget } {
  return proven === undefined ? {} : { proven };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A system's error names paths; its code says enough. */
function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'no further detail';
}
