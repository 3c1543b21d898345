import { revokedDigests } from '../workflows/revocations.ts';
import { POLICY_HEAD_TTL_MS } from '../workflows/verdict/deadlines.ts';
import { MAX_REVOKED, POLICY_HEAD_PAYLOAD_TYPE, type SignedPolicyHead } from '../workflows/verdict/policy-head.ts';
import type { Envelope } from '../workflows/verdict/verdict.ts';
import { appliedRevision } from './authority/applied-policy.ts';
import type { Dependencies } from './dependencies.ts';
import { fleetKnowledge, refreshKeys } from './fleet-knowledge.ts';
import { MAX_STATEMENT_BYTES } from './limits.ts';
import { expandRevocations } from './proof/expand-revocations.ts';

/**
 * States, signed and dated, which policy revision this worker applies, and what it knows of the keys in KMS
 * and of the logs that the policy names. Throws KEY_UNREADABLE.
 */
export async function describePolicy(dependencies: Omit<Dependencies, 'judgements'>): Promise<Envelope> {
  refreshKeys(dependencies);
  expandRevocations(dependencies);
  const now = Date.now();
  const head = withinBounds({
    fleet: dependencies.fleet,
    policyRevision: appliedRevision(dependencies),
    statedAt: new Date(now).toISOString(),
    expiresAt: new Date(now + POLICY_HEAD_TTL_MS).toISOString(),
    ...fleetKnowledge(dependencies),
    ...revokedBy(dependencies),
  });
  return await dependencies.verdictKey.sign(POLICY_HEAD_PAYLOAD_TYPE, new TextEncoder().encode(JSON.stringify(head)));
}

/**
 * What is known to be revoked. A worker that knows of nothing states nothing: it may have a directory that can't be used,
 * that is empty or that is not mounted.
 */
function revokedBy({ revocations }: Pick<Dependencies, 'revocations'>) {
  const stated = revocations.stated();
  if (stated.length === 0) return {};
  return { revocations: stated, revoked: [...revokedDigests(stated).keys()].slice(0, MAX_REVOKED) };
}

/** Nodes read no larger statement: what only spares other workers a question makes room for what is revoked. */
function withinBounds({ logs, keys, ...head }: SignedPolicyHead): SignedPolicyHead {
  const { revoked: _, ...newest } = head;
  const withKeys = keys === undefined ? head : { ...head, keys };
  const all = logs === undefined ? withKeys : { ...withKeys, logs };
  const fits = (one: SignedPolicyHead) => Buffer.byteLength(JSON.stringify(one)) <= MAX_STATEMENT_BYTES;
  return [all, withKeys, head].find(fits) ?? newest;
}
