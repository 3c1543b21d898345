import { formatProblem, type PolicyProblem } from '../yaml/problem.ts';
import { loadPolicyDirectory } from './load.ts';
import type { PolicyLoad, PolicySet } from './policy-set.ts';

/** A version of the directory that can't be used. */
export interface RejectedPolicies {
  readonly revision: string;
  readonly problems: readonly PolicyProblem[];
}

/** What the worker judges by now. `rejected` is what the directory holds instead, when that can't be used. */
export type PolicyState =
  | { readonly ok: true; readonly set: PolicySet; readonly rejected?: RejectedPolicies }
  | ({ readonly ok: false } & RejectedPolicies);

/** The policies of a directory that may change at any time. */
export interface PolicyStore {
  /** The newest state; the set in it never changes. */
  current(): PolicyState;
  /** Looks at the directory now and answers the state after that. */
  reload(): Promise<PolicyState>;
  /** Stops looking; the last state stays, and nobody is told any more. */
  stop(): void;
}

export interface PolicyStoreOptions {
  /** Awaited before a valid set takes effect, so that what it names is there when it does. Must not reject. */
  readonly prepare?: (set: PolicySet) => Promise<void>;
  /**
   * Told what the directory holds: at the start and after each change, when it has taken effect. A load with problems
   * is told as such, although the last good set stays in use. Must not throw.
   */
  readonly onReload?: (load: PolicyLoad) => void;
  /** Other users may change the directory, as in a volume that another container fills. */
  readonly shared?: boolean;
  /** Ms between two looks at the directory. */
  readonly pollMs?: number;
}

/** With the interval at which the revision is restated, a change reaches the nodes within 15 s. */
const POLL_MS = 2_000;

/**
 * Loads the directory and then looks at its content again and again: notifications of the file system miss what
 * happens behind the links of a Kubernetes mount. What another user may change is a problem unless the directory
 * is `shared`. A set is replaced as a whole; a directory with problems keeps the
 * last good set, and before there is one every question is answered with the problems.
 */
export async function createPolicyStore(directory: string, options: PolicyStoreOptions = {}): Promise<PolicyStore> {
  const how = { own: options.shared !== true };
  let seen = await loadPolicyDirectory(directory, how);
  if (seen.ok) await options.prepare?.(seen.set);
  let state: PolicyState = seen;
  let running: Promise<PolicyState> | undefined;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  async function look(): Promise<PolicyState> {
    const load = await loadPolicyDirectory(directory, how);
    if (stopped || fingerprint(load) === fingerprint(seen)) return state;
    if (load.ok) await options.prepare?.(load.set);
    seen = load;
    state = stateAfter(state, load);
    options.onReload?.(load);
    return state;
  }

  /** One look at a time, and each caller gets one that began after it asked. */
  async function reload(): Promise<PolicyState> {
    const turn = (running ?? Promise.resolve()).then(look, look);
    running = turn;
    return turn;
  }

  function schedule(): void {
    timer = setTimeout(poll, options.pollMs ?? POLL_MS).unref();
  }

  async function poll(): Promise<void> {
    try {
      await reload();
    } finally {
      if (!stopped) schedule();
    }
  }

  options.onReload?.(seen);
  schedule();
  return {
    current: () => state,
    reload,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

function stateAfter(before: PolicyState, load: PolicyLoad): PolicyState {
  if (load.ok || !before.ok) return load;
  return { ok: true, set: before.set, rejected: { revision: load.revision, problems: load.problems } };
}

/** Problems count as content: a file that can't be read has no bytes to compare. */
function fingerprint(load: PolicyLoad): string {
  return load.ok
    ? [load.set.contentHash, JSON.stringify(load.set.revocations)].join('\n')
    : [load.revision, ...load.problems.map(formatProblem)].join('\n');
}
