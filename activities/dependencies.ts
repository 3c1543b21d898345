import type { JudgementCache } from './authority/judgement-cache.ts';
import type { ManagedKeys } from './kms/checked/managed-keys.ts';
import type { PolicyLoad } from './policy/policy-set.ts';
import type { DockerConfig } from './registry/credentials/docker-config.ts';
import type { Registry } from './registry/registry.ts';
import type { LiveLogs } from './rekor/live-log.ts';
import type { Absences } from './revocation/index-contents.ts';
import type { RecentPlaces } from './revocation/recent-places.ts';
import type { RevocationBook } from './revocation/revocation-book.ts';
import type { TrustStore } from './trust/trust-root.ts';
import type { VerdictKey } from './verdict-key/verdict-key.ts';

/** What the activities stand on. */
export interface Dependencies {
  /** The policy that is applied now. */
  readonly policy: { current(): PolicyLoad };
  /** What is known to be revoked. */
  readonly revocations: RevocationBook;
  /** Which repositories lately did not have which revoked digests. */
  readonly absences: Absences;
  /** Where images were allowed lately. */
  readonly places: RecentPlaces;
  /** The fleet whose nodes may use what is signed here. */
  readonly fleet: string;
  /** The trust roots that the policy names. */
  readonly trust: TrustStore;
  readonly registry: Registry;
  /** A reader with other credentials than the worker's own, and the same cache of evidence. */
  readonly registryWith: (credentials: DockerConfig) => Registry;
  /** Transparency logs, asked over the network. */
  readonly logs: LiveLogs;
  /** Keys that live in a KMS. */
  readonly keys: ManagedKeys;
  readonly verdictKey: VerdictKey;
  readonly judgements: JudgementCache;
}
