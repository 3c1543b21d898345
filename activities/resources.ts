import { join } from 'node:path';
import { appliedRevision, trustRevisionOf } from './authority/applied-policy.ts';
import { JudgementCache } from './authority/judgement-cache.ts';
import type { Dependencies } from './dependencies.ts';
import { parseDestinations, useDestinations } from './http/destinations.ts';
import { createManagedKeys } from './kms/checked/checked-keys.ts';
import { loadKeyManager } from './kms/key-managers.ts';
import { DEFAULT_EVIDENCE_BYTES, MAX_CACHED_EVIDENCE_BYTES, MAX_JUDGEMENTS, MAX_KEPT_STATEMENTS } from './limits.ts';
import { openOwnFolder } from './own-folder.ts';
import type { PolicyLoad } from './policy/policy-set.ts';
import { createPolicyStore } from './policy/store.ts';
import { trustRootNames } from './policy/trust-root-names.ts';
import { EvidenceCache } from './registry/cache.ts';
import { firstOf } from './registry/credentials/credential.ts';
import { containersAuthPath, credentialsFrom, dockerCredentials } from './registry/credentials/docker-credentials.ts';
import { type ProviderSettings, providerCredentials } from './registry/credentials/provider-credentials.ts';
import { configuredEndpoints } from './registry/endpoints/configured-endpoints.ts';
import { createRegistry } from './registry/registry.ts';
import { createLiveLogs } from './rekor/live-logs.ts';
import { createRecentPlaces } from './revocation/recent-places.ts';
import { openRevocationBook } from './revocation/revocation-book.ts';
import { openRevocationFile, readRevocationFile } from './revocation/revocation-file.ts';
import type { TrustEvent } from './trust/known-root.ts';
import { createTrustStore, type TrustStoreOptions } from './trust/store.ts';
import type { VerdictKey } from './verdict-key/verdict-key.ts';
import { formatProblem, inDirectory } from './yaml/problem.ts';

export interface ResourceOptions {
  /** Directory of policy documents. */
  readonly policy: string;
  /** Other users may change that directory. */
  readonly sharedPolicy?: boolean;
  /** The fleet that statements and verdicts are signed for. */
  readonly fleet: string;
  /** Directory for what has to survive a restart; `undefined` keeps it in memory. */
  readonly state: string | undefined;
  /** Registries that are spoken to by plain HTTP besides the loopback ones, as `host[:port]`. */
  readonly plainHttp: readonly string[];
  /** Hosts, addresses and ranges that registries may lead to although they are internal. */
  readonly allowInternal: readonly string[];
  /** Folders of `hosts.toml` files, as containerd's `config_path` has them. */
  readonly registryHosts: readonly string[];
  /** Programs that know credentials, as a kubelet has them. */
  readonly credentialProviders: ProviderSettings | undefined;
  readonly verdictKey: VerdictKey;
  /** Where trust roots come from and how often that is asked; the default suits a worker. */
  readonly trust?: Pick<TrustStoreOptions, 'publicGood' | 'refreshMs'>;
  /** The largest layer of evidence that is read, in bytes; {@link DEFAULT_EVIDENCE_BYTES} without it. */
  readonly maxEvidenceBytes?: number;
}

/** Between two comparisons of the policy revision with the logged one, in ms: a trust root may change or expire at any time. */
const REVISION_MS = 1_000;

/** A line of the worker's log. */
export type Log = (level: 'info' | 'warn' | 'error', message: string, fields: object) => void;

/** All that the activities stand on, and what has to be stopped with them. */
export interface Resources {
  readonly dependencies: Dependencies;
  stop(): void;
}

/**
 * Makes what the activities stand on, and reads the policy once. Never rejects for what the policy directory holds. Rejects
 * for a state folder that another user may change, and when the revocations in it can't be read.
 */
export async function createResources(options: ResourceOptions, log: Log): Promise<Resources> {
  const listed = parseDestinations(options.allowInternal);
  if ('unknown' in listed)
    throw new Error(`expected a host, an address or a CIDR, found ${JSON.stringify(listed.unknown)}`);
  useDestinations(listed);
  if (options.state !== undefined) await openOwnFolder(options.state);
  const kept = (name: string) => (options.state === undefined ? {} : { directory: join(options.state, name) });
  const trust = createTrustStore({ ...options.trust, ...kept('trust'), onChange: (event) => logTrust(log, event) });
  let reloaded: (() => void) | undefined;
  const policy = await createPolicyStore(options.policy, {
    shared: options.sharedPolicy === true,
    prepare: (set) => trust.use(set.trustRoots, trustRootNames(set)),
    onReload: (load) => {
      logProblems(log, load, options.policy);
      reloaded?.();
    },
  });
  const logRevision = createRevisionLog(log, { policy, trust });
  reloaded = () => logRevision('always');
  reloaded();
  const timer = setInterval(() => logRevision('changed'), REVISION_MS).unref();
  const revocations = openRevocationBook(policy, await keptRevocations(options.state), (message, fields) =>
    log('warn', message, fields),
  );
  const cache = new EvidenceCache(MAX_CACHED_EVIDENCE_BYTES);
  const providers = options.credentialProviders;
  const own = firstOf([
    ...[dockerCredentials(), dockerCredentials(containersAuthPath())],
    ...(providers === undefined ? [] : [providerCredentials(providers)]),
  ]);
  const endpoints = configuredEndpoints(options.registryHosts, options.plainHttp);
  const { maxEvidenceBytes = DEFAULT_EVIDENCE_BYTES } = options;
  const dependencies: Dependencies = {
    ...{
      policy,
      trust,
      fleet: options.fleet,
      revocations,
      absences: new Map(),
      places: createRecentPlaces(),
      verdictKey: options.verdictKey,
    },
    registry: createRegistry({ endpoints, credentials: own, cache, maxEvidenceBytes }),
    registryWith: (secrets) =>
      createRegistry({ endpoints, credentials: credentialsFrom(secrets, own), cache, maxEvidenceBytes }),
    logs: createLiveLogs({
      ...kept('logs'),
      onAlarm: ({ kind, log: name, sentence }) =>
        log('error', 'ALARM: transparency log', { kind, log: name, sentence }),
    }),
    keys: createManagedKeys({ managers: loadKeyManager }),
    judgements: new JudgementCache({ most: MAX_JUDGEMENTS, statements: MAX_KEPT_STATEMENTS }),
  };
  return {
    dependencies,
    stop() {
      clearInterval(timer);
      policy.stop();
      trust.stop();
    },
  };
}

/** Throws when the file is there and can't be read. */
async function keptRevocations(state: string | undefined) {
  if (state === undefined) return undefined;
  const path = join(state, 'revocations.json');
  return { revocations: await readRevocationFile(path), file: openRevocationFile(path) };
}

function logProblems(log: Log, load: PolicyLoad, directory: string): void {
  if (load.ok) return;
  for (const problem of load.problems) {
    log('error', 'policy is not valid', { problem: formatProblem(inDirectory(problem, directory)) });
  }
}

/** Logs the revision that nodes are told: after each reload, and when a trust root that the policy names has changed it. */
function createRevisionLog(log: Log, applied: Pick<Dependencies, 'policy' | 'trust'>) {
  let logged: string | undefined;
  return (when: 'always' | 'changed'): void => {
    const policyRevision = appliedRevision(applied);
    if (when === 'changed' && policyRevision === logged) return;
    logged = policyRevision;
    const load = applied.policy.current();
    const trustRevision = load.ok ? trustRevisionOf(applied, load.set) : '';
    const trust = trustRevision === '' ? {} : { trustRevision };
    if (load.ok) log('info', 'policy', { policyRevision, policies: load.set.policies.length, ...trust });
    else log('error', 'no valid policy is loaded', { policyRevision });
  };
}

function logTrust(log: Log, event: TrustEvent): void {
  switch (event.kind) {
    case 'refreshed':
      if (event.changed) log('info', 'trust root', { name: event.name, revision: event.revision });
      return;
    case 'failed':
    case 'passed-over':
    case 'not-kept':
      log('warn', 'trust root', event);
      return;
  }
}
