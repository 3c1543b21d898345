import type { KeyObject } from 'node:crypto';

/** Somebody who co-signs checkpoints of logs (C2SP tlog-cosignature v1). */
export interface Witness {
  /** The name in its signature line. */
  readonly name: string;
  /** Ed25519. */
  readonly publicKey: KeyObject;
}
