import type { KeyCheck, KeyRequest } from '../workflows/activities.ts';
import { findAuthority } from './applied-policy.ts';
import type { Dependencies } from './dependencies.ts';

/**
 * That the key of one authority may be used now. A key from a file has no state beyond being in the policy. Throws
 * POLICY_INVALID, POLICY_CHANGED.
 */
export function checkKey(dependencies: Dependencies, request: KeyRequest): KeyCheck {
  const { key } = findAuthority(dependencies, request);
  return { keyId: key.keyId, algorithm: key.algorithm };
}
