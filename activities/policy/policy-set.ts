import type { Glob } from '../../workflows/policy/glob.ts';
import type { VerificationKey } from '../sigstore/key.ts';
import type { PolicyProblem } from './policy-problem.ts';

/** One ClusterImagePolicy, parsed and with its keys at hand. */
export interface Policy {
  readonly name: string;
  /** The file it stands in, relative to the directory. */
  readonly file: string;
  readonly images: readonly Glob[];
  readonly authorities: readonly Authority[];
}

/** Somebody whose signature satisfies a policy. */
export interface Authority {
  readonly name: string;
  readonly key: VerificationKey;
}

/** All policies of one directory at one moment. */
export interface PolicySet {
  /** Hex SHA-256 over the paths and bytes of the policy files and of the key files they refer to. */
  readonly revision: string;
  readonly policies: readonly Policy[];
}

/** A directory is used as a whole or not at all. */
export type PolicyLoad =
  | { readonly ok: true; readonly set: PolicySet }
  | { readonly ok: false; readonly revision: string; readonly problems: readonly PolicyProblem[] };
