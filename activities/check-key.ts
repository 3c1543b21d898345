import type { KeyCheck, KeyRequest } from '../workflows/activities.ts';
import { findAuthority } from './applied-policy.ts';
import type { Dependencies } from './dependencies.ts';

/** That the key of one authority may be used now. A key from a file has no state beyond being in the policy. */
export async function checkKey(dependencies: Dependencies, request: KeyRequest): Promise<KeyCheck> {
  const { key } = findAuthority(dependencies, request);
  return { keyId: key.keyId, algorithm: key.algorithm };
}
