import type { Authority, PolicySet } from './policy-set.ts';

/** The trust roots that the authorities of a set name. */
export function trustRootNames({ policies }: PolicySet): ReadonlySet<string> {
  return new Set(policies.flatMap(({ authorities }) => authorities.flatMap(trustRootsOf)));
}

/** The trust roots that one authority names, those for its signer first. */
export function trustRootsOf({ signer, log, timestamps }: Authority): readonly string[] {
  return [
    ...(signer.kind === 'keyless' && signer.trustRoot !== undefined ? [signer.trustRoot] : []),
    ...(log !== undefined && log.publicKey === undefined ? [log.trustRoot] : []),
    ...(timestamps === undefined ? [] : [timestamps.trustRoot]),
  ];
}
