import type { FieldTable } from './field.ts';

const cluster = (fix: string) => ({ refused: `it has no meaning on a node; ${fix}` });
const later = (fix: string) => ({ refused: `not supported yet; ${fix}` });
const elsewhere = (fix: string) => ({ refused: `a policy here is files of one directory; ${fix}` });

const READ = 'read' as const;
const WRITTEN_BY_CLUSTER = cluster('remove it, a cluster writes it');
const PUT_INTO_DATA = elsewhere('write the CEL expression into data');

const METADATA = {
  name: READ,
  labels: READ,
  annotations: READ,
  namespace: cluster('remove it'),
  creationTimestamp: WRITTEN_BY_CLUSTER,
  finalizers: WRITTEN_BY_CLUSTER,
  generation: WRITTEN_BY_CLUSTER,
  managedFields: WRITTEN_BY_CLUSTER,
  ownerReferences: WRITTEN_BY_CLUSTER,
  resourceVersion: WRITTEN_BY_CLUSTER,
  uid: WRITTEN_BY_CLUSTER,
} as const;

const DOCUMENT = { apiVersion: READ, kind: READ, metadata: READ, spec: READ, status: WRITTEN_BY_CLUSTER } as const;

const SECRET_REF = { name: READ, namespace: READ } as const;

/** Key material that is no signer's key: no hash of a signature belongs to it. */
const MATERIAL = {
  data: READ,
  secretRef: READ,
  hashAlgorithm: { refused: 'it is about the key of a signer; remove it' },
  kms: later('export it into data'),
} as const;

/** What is read of a ClusterImagePolicy (policy.sigstore.dev/v1beta1, policy-controller 0.15) and what is refused. */
export const FIELD_TABLES = {
  '': DOCUMENT,
  metadata: METADATA,
  spec: {
    images: READ,
    authorities: READ,
    mode: READ,
    policy: {
      refused: 'not over all authorities at once; put conditions into spec.authorities[].attestations[].policy',
    },
    match: cluster('select by spec.images, a node does not know the workload'),
  },
  'spec.images[]': { glob: READ },
  'spec.authorities[]': {
    name: READ,
    key: READ,
    keyless: READ,
    static: READ,
    source: READ,
    ctlog: READ,
    attestations: READ,
    rfc3161timestamp: READ,
    signatureFormat: READ,
  },
  'spec.authorities[].key': {
    data: READ,
    secretRef: READ,
    hashAlgorithm: READ,
    kms: READ,
  },
  'spec.authorities[].key.secretRef': SECRET_REF,
  'spec.authorities[].keyless': {
    url: READ,
    identities: READ,
    trustRootRef: READ,
    'ca-cert': READ,
    insecureIgnoreSCT: READ,
  },
  'spec.authorities[].keyless.identities[]': { issuer: READ, issuerRegExp: READ, subject: READ, subjectRegExp: READ },
  'spec.authorities[].keyless.ca-cert': MATERIAL,
  'spec.authorities[].keyless.ca-cert.secretRef': SECRET_REF,
  'spec.authorities[].static': { action: READ, message: READ },
  'spec.authorities[].source[]': { oci: READ, tagPrefix: READ, signaturePullSecrets: READ },
  'spec.authorities[].source[].signaturePullSecrets[]': { name: READ },
  'spec.authorities[].ctlog': { url: READ, trustRootRef: READ, 'public-key': READ },
  'spec.authorities[].ctlog.public-key': MATERIAL,
  'spec.authorities[].ctlog.public-key.secretRef': SECRET_REF,
  'spec.authorities[].rfc3161timestamp': { trustRootRef: READ },
  'spec.authorities[].attestations[]': { name: READ, predicateType: READ, policy: READ },
  'spec.authorities[].attestations[].policy': {
    type: READ,
    data: READ,
    remote: PUT_INTO_DATA,
    url: PUT_INTO_DATA,
    configMapRef: PUT_INTO_DATA,
    fetchConfigFile: cluster('remove it, a condition is about the attestation'),
    includeSpec: cluster('remove it, a node does not know the workload'),
    includeObjectMeta: cluster('remove it, a node does not know the workload'),
    includeTypeMeta: cluster('remove it, a node does not know the workload'),
  },
} as const satisfies Record<string, FieldTable>;

/** What is read of an AuthorityRequirement (portcullis.dev/v1alpha1), which is ours. */
export const REQUIREMENT_TABLES = {
  '': DOCUMENT,
  metadata: METADATA,
  spec: {
    policy: READ,
    authority: READ,
    transparencyLog: READ,
    timestamps: READ,
    observers: READ,
    certificate: READ,
    indexAttestations: READ,
    newestAttestation: READ,
    key: READ,
    signedAs: READ,
    signedReference: READ,
  },
  'spec.signedAs[]': { repository: READ, glob: READ, prefix: READ, signedPrefix: READ },
  'spec.key': { maxAge: READ, whenUnreachable: READ, verification: READ },
  'spec.key.whenUnreachable': { allowFor: READ },
  'spec.transparencyLog': { mode: READ, entries: READ, cosignatures: READ },
  'spec.transparencyLog.cosignatures': { count: READ, witnesses: READ },
  'spec.transparencyLog.cosignatures.witnesses[]': { name: READ, publicKey: READ },
  'spec.timestamps': { count: READ },
  'spec.observers': { count: READ },
  'spec.certificate.*': { exact: READ, regExp: READ },
} as const satisfies Record<string, FieldTable>;

/** What is read of an OfflineUse (portcullis.dev/v1alpha1). */
export const OFFLINE_USE_TABLES = {
  '': DOCUMENT,
  metadata: METADATA,
  spec: { images: READ, for: READ, afterWorkerSilence: READ },
  'spec.images[]': { glob: READ },
} as const satisfies Record<string, FieldTable>;

/** What is read of a Revocation (portcullis.dev/v1alpha1). */
export const REVOCATION_TABLES = {
  '': DOCUMENT,
  metadata: METADATA,
  spec: { digests: READ, revision: READ },
} as const satisfies Record<string, FieldTable>;
