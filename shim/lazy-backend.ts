import type { Backend } from './backend.ts';
import type { LinkOptions } from './temporal-link.ts';

/** A backend whose questions wait for `begin`. */
export interface LazyBackend extends Backend {
  begin(): void;
}

/**
 * The backend, whose client is loaded with the first question, and not before it is told to begin: that takes a node's processor a tenth of a
 * second, in which nobody is answered, and who waits for a daemon that starts is often answered by what that has kept.
 */
export function lazyBackend(taskQueue: string, options?: LinkOptions): LazyBackend {
  const begun = Promise.withResolvers<void>();
  let loading: Promise<Backend> | undefined;
  async function load(): Promise<Backend> {
    await begun.promise;
    const { connectBackend } = await import('./temporal.ts');
    return connectBackend(taskQueue, options);
  }
  const backend = () => {
    loading ??= load();
    return loading;
  };
  return {
    begin: begun.resolve,
    verify: async (request, deadline) => (await backend()).verify(request, deadline),
    checks: async (workflowId, deadline) => (await backend()).checks(workflowId, deadline),
    exists: async (workflowId, deadline) => (await backend()).exists(workflowId, deadline),
    policyHead: async (deadline) => (await backend()).policyHead(deadline),
    resolve: async (name, deadline) => (await backend()).resolve(name, deadline),
    find: async (decisionId, deadline) => (await backend()).find(decisionId, deadline),
    async close() {
      begun.resolve(); // whoever waits for an answer gets none
      await (await loading)?.close();
    },
  };
}
