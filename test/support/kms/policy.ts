/** What a policy says of a key in a KMS: at least one of these. */
export interface KeyDemand {
  readonly maxAge?: string;
  readonly whenUnreachable?: { readonly allowFor: string };
  readonly verification?: 'local' | 'remote';
}

/** Two documents for the policy directory: images that match `glob` must be signed by the key in a KMS. */
export function managedPolicy(name: string, glob: string, kms: string, key: KeyDemand): string {
  const document = (apiVersion: string, kind: string, spec: object) =>
    JSON.stringify({ apiVersion, kind, metadata: { name }, spec });
  const authorities = [{ name: 'release', key: { kms } }];
  return [
    document('policy.sigstore.dev/v1beta1', 'ClusterImagePolicy', { images: [{ glob }], authorities }),
    document('portcullis.dev/v1alpha1', 'AuthorityRequirement', { policy: name, key }),
  ].join('\n---\n');
}
