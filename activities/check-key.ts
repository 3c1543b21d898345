import type { KeyCheck, KeyRequest } from '../workflows/activities.ts';
import { findAuthority } from './authority/applied-policy.ts';
import { authorityKeys } from './authority/keys.ts';
import type { Dependencies } from './dependencies.ts';
import { learn } from './fleet-knowledge.ts';

/**
 * That what one authority trusts may be used now: its key, and the trust roots that it names. A key that its owner has
 * disabled is an answer. Throws POLICY_INVALID, POLICY_CHANGED, the TRUST_ROOT_ and KMS_ codes, KEY_UNAVAILABLE and
 * KEY_STATE_STALE.
 */
export async function checkKey(
  dependencies: Dependencies,
  request: KeyRequest,
  signal: AbortSignal,
): Promise<KeyCheck> {
  learn(dependencies, request.statement);
  return (await authorityKeys(dependencies, findAuthority(dependencies, request), signal)).check;
}
