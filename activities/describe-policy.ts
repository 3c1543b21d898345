import { POLICY_HEAD_TTL_MS } from '../workflows/deadlines.ts';
import { POLICY_HEAD_PAYLOAD_TYPE, type PolicyHead } from '../workflows/policy-head.ts';
import type { Envelope } from '../workflows/verdict.ts';
import { appliedRevision } from './applied-policy.ts';
import type { Dependencies } from './dependencies.ts';
import { fleetKnowledge, refreshKeys } from './fleet-knowledge.ts';

/**
 * States, signed and dated, which policy revision this worker applies, and what it knows of the keys in KMS
 * and of the logs that the policy names. Throws KEY_UNREADABLE.
 */
export async function describePolicy(
  dependencies: Pick<Dependencies, 'policy' | 'trust' | 'keys' | 'logs' | 'verdictKey'>,
): Promise<Envelope> {
  refreshKeys(dependencies);
  const now = Date.now();
  const head: PolicyHead = {
    policyRevision: appliedRevision(dependencies),
    statedAt: new Date(now).toISOString(),
    expiresAt: new Date(now + POLICY_HEAD_TTL_MS).toISOString(),
    ...fleetKnowledge(dependencies),
    ...revokedBy(dependencies),
  };
  return await dependencies.verdictKey.sign(POLICY_HEAD_PAYLOAD_TYPE, new TextEncoder().encode(JSON.stringify(head)));
}

/** While the directory can't be used nothing is known to be revoked, and nothing is allowed either. */
function revokedBy({ policy }: Pick<Dependencies, 'policy'>): Pick<PolicyHead, 'revoked'> {
  const load = policy.current();
  return load.ok && load.set.revoked.length > 0 ? { revoked: load.set.revoked } : {};
}
