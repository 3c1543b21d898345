import { setTimeout as delay } from 'node:timers/promises';
import { type Backend, BackendProblem } from './backend.ts';
import type { LinkOptions } from './temporal-link.ts';

/** A backend whose questions wait for `begin`. */
export interface LazyBackend extends Backend {
  begin(): void;
}

/** What must be left of the time of a question when the client is loaded, in ms: less is not enough to get an answer. */
const ASK_MS = 250;

const STARTING = 'the portcullis shim has just started and is not ready to ask Temporal; pull again';

/**
 * The backend, whose client is loaded with the first question, and not before it is told to begin: that takes a node's processor a tenth of a
 * second, in which nobody is answered, and who waits for a daemon that starts is often answered by what that has kept. On a
 * busy node it takes longer: a question whose time ends before that rejects with SHIM_BUSY.
 */
export function lazyBackend(taskQueue: string, options?: LinkOptions): LazyBackend {
  const begun = Promise.withResolvers<void>();
  let loaded: Backend | undefined;
  let loading: Promise<Backend> | undefined;
  async function load(): Promise<Backend> {
    await begun.promise;
    const { connectBackend } = await import('./temporal.ts');
    loaded = connectBackend(taskQueue, options);
    return loaded;
  }
  async function backend(deadline: number): Promise<Backend> {
    if (loaded !== undefined) return loaded;
    loading ??= load();
    const late = new AbortController();
    const until = deadline - ASK_MS;
    const patience = delay(Math.max(0, until - Date.now()), undefined, { signal: late.signal }).catch(() => undefined);
    const backend = await Promise.race([loading, patience]).finally(() => late.abort());
    // Loading keeps timers from running.
    if (backend === undefined || Date.now() > until) throw new BackendProblem('SHIM_BUSY', STARTING);
    return backend;
  }
  return {
    begin: begun.resolve,
    verify: async (request, deadline) => (await backend(deadline)).verify(request, deadline),
    checks: async (workflowId, deadline) => (await backend(deadline)).checks(workflowId, deadline),
    exists: async (workflowId, deadline) => (await backend(deadline)).exists(workflowId, deadline),
    policyHead: async (deadline) => (await backend(deadline)).policyHead(deadline),
    resolve: async (name, deadline) => (await backend(deadline)).resolve(name, deadline),
    find: async (decisionId, deadline) => (await backend(deadline)).find(decisionId, deadline),
    async close() {
      begun.resolve(); // whoever waits for an answer gets none
      await (await loading)?.close();
    },
  };
}
