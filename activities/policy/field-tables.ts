import type { FieldTable } from './field.ts';

const later = (fix: string) => ({ refused: `not supported yet; ${fix}` });
const cluster = (fix: string) => ({ refused: `it has no meaning on a node; ${fix}` });

const READ = 'read' as const;
const READ_KEYS = 'name the signers by key in spec.authorities[].key';

/** What is read of a ClusterImagePolicy (policy.sigstore.dev/v1beta1, policy-controller 0.15) and what is refused. */
export const FIELD_TABLES = {
  '': {
    apiVersion: READ,
    kind: READ,
    metadata: READ,
    spec: READ,
    status: cluster('remove it, a cluster writes it'),
  },
  metadata: {
    name: READ,
    labels: READ,
    annotations: READ,
    namespace: cluster('remove it'),
    creationTimestamp: cluster('remove it, a cluster writes it'),
    finalizers: cluster('remove it, a cluster writes it'),
    generation: cluster('remove it, a cluster writes it'),
    managedFields: cluster('remove it, a cluster writes it'),
    ownerReferences: cluster('remove it, a cluster writes it'),
    resourceVersion: cluster('remove it, a cluster writes it'),
    uid: cluster('remove it, a cluster writes it'),
  },
  spec: {
    images: READ,
    authorities: READ,
    mode: READ,
    policy: later('put the condition into the build that signs'),
    match: cluster('select by spec.images, a node does not know the workload'),
  },
  'spec.images[]': { glob: READ },
  'spec.authorities[]': {
    name: READ,
    key: READ,
    keyless: later(READ_KEYS),
    static: later(READ_KEYS),
    source: later('keep the signatures in the repository of the image'),
    ctlog: later('remove it, keys are verified without a transparency log'),
    attestations: later('remove it, the signature of the image is verified'),
    rfc3161timestamp: later('remove it, keys are verified without timestamps'),
    signatureFormat: later('remove it, both formats are found'),
  },
  'spec.authorities[].key': {
    data: READ,
    secretRef: READ,
    hashAlgorithm: READ,
    kms: later('export the public key into data'),
  },
  'spec.authorities[].key.secretRef': { name: READ, namespace: READ },
} as const satisfies Record<string, FieldTable>;
