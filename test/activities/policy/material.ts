import { type Certificate, issueIntermediate, issueRoot } from '../../support/virtual-sigstore/ca.ts';
import { chainTrust, trustedRootJson } from '../../support/virtual-sigstore/trusted-root.ts';

const WINDOW = { from: new Date('2020-01-01T00:00:00Z'), until: new Date('2040-01-01T00:00:00Z') };

/** A certificate authority of two certificates, the one that signs leaves first. */
export function authorityChain(): readonly [Certificate, Certificate] {
  const root = issueRoot('root', WINDOW);
  return [issueIntermediate(root, 'intermediate', WINDOW), root];
}

/** A `trusted_root.json` with one certificate authority. */
export function trustedRootFile(): string {
  const authorities = [chainTrust('https://fulcio.test', authorityChain(), WINDOW)];
  return JSON.stringify(trustedRootJson({ authorities, ctLogs: [], logs: [], timestampAuthorities: [] }));
}
