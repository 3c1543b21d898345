import { PUBLIC_GOOD } from '../../trust/trust-root.ts';
import { type Field, readObjectName } from '../../yaml/field.ts';

/** A trust root that a policy names, or means where it names none. */
export interface TrustRootReference {
  readonly name: string;
  /** `undefined`: the policy names none. */
  readonly field: Field | undefined;
}

/** What a policy trusts that says nothing else. */
export const DEFAULT_TRUST_ROOT: TrustRootReference = { name: PUBLIC_GOOD, field: undefined };

/** Reads a `trustRootRef`; without one, or with one that is no name, Sigstore's public-good instance is meant. */
export function readTrustRootReference(field: Field | undefined): TrustRootReference {
  const name = field && readObjectName(field);
  return field === undefined || name === undefined ? DEFAULT_TRUST_ROOT : { name, field };
}
