import type { PolicyLoad } from './policy/policy-set.ts';
import type { Registry } from './registry/registry.ts';
import type { VerdictKey } from './verdict-key.ts';

/** What the activities stand on. */
export interface Dependencies {
  /** The policy that is applied now. */
  readonly policy: { current(): PolicyLoad };
  readonly registry: Registry;
  readonly verdictKey: VerdictKey;
}
