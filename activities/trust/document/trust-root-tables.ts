import { FIELD_TABLES } from '../../yaml/field-tables.ts';

const READ = 'read' as const;
const renamed = (name: string) => ({ refused: `policy-controller calls it ${name} now; rename it` });
const LOG_ID = { refused: 'it follows from the key; remove it' };

const LOG = {
  baseURL: READ,
  hashAlgorithm: READ,
  publicKey: READ,
  logID: LOG_ID,
  logId: LOG_ID,
  // Ours, because without them keys can't be rotated, and a private log can't be named.
  validFor: READ,
} as const;

/** What is read of a TrustRoot (policy.sigstore.dev/v1alpha1, policy-controller 0.15) and what is refused. */
export const TRUST_ROOT_TABLES = {
  '': FIELD_TABLES[''],
  metadata: FIELD_TABLES.metadata,
  spec: { remote: READ, repository: READ, sigstoreKeys: READ, trustedRootJSON: READ },
  'spec.remote': { root: READ, mirror: READ, targets: READ, trustedRootTarget: READ },
  'spec.repository': { root: READ, mirrorFS: READ, targets: READ, trustedRootTarget: READ },
  'spec.sigstoreKeys': {
    certificateAuthorities: READ,
    tLogs: READ,
    ctLogs: READ,
    timestampAuthorities: READ,
    certificateAuthority: renamed('certificateAuthorities'),
    tLog: renamed('tLogs'),
    ctLog: renamed('ctLogs'),
  },
  authority: { subject: READ, uri: READ, certChain: READ, validFor: READ },
  subject: { organization: READ, commonName: READ },
  tLog: { ...LOG, origin: READ },
  ctLog: LOG,
  validFor: { start: READ, end: READ },
} as const;
