import type { Sigstore } from '../../infra/stack/sigstore.ts';

/** Who releases, by address and by repository. */
export const RELEASE_EMAIL = 'release@example.com';
export const RELEASE_REPOSITORY = 'example/app';

/** How the policies name the trust root. */
export const TRUST_ROOT = 'own';

/** Policies by file, one for each first part of a repository, and the trust root that they name. */
export async function keylessPolicies(sigstore: Sigstore, registry: string): Promise<Readonly<Record<string, string>>> {
  const { url, workflowUrl } = sigstore.issuer;
  const person = `
      issuer: ${url}
      subject: ${RELEASE_EMAIL}`;
  const workflow = `
      issuer: ${workflowUrl}
      subjectRegExp: https://github\\.com/[a-z]+/app/\\.github/workflows/release\\.yml@refs/heads/main`;
  return {
    'trust-root.yaml': await sigstore.trustRootYaml(TRUST_ROOT),
    'keyless.yaml': policy('keyless', registry, person),
    'warned.yaml': policy('warned', registry, person, '', '  mode: warn\n'),
    'attested.yaml': policy('attested', registry, person, ATTESTATIONS),
    'workflow.yaml': policy('workflow', registry, workflow) + requirement('workflow', SOURCE),
    'asked.yaml':
      policy('asked', registry, person) + requirement('asked', '  transparencyLog:\n    mode: consistency\n'),
  };
}

const ATTESTATIONS = `      attestations:
        - name: provenance
          predicateType: slsaprovenance1
          policy:
            type: cel
            data: predicate.runDetails.builder.id == 'https://example.com/builder'
`;

const SOURCE = `  certificate:
    sourceRepositoryUri:
      exact: https://github.com/${RELEASE_REPOSITORY}
`;

function policy(name: string, registry: string, identity: string, authority = '', spec = ''): string {
  return `apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata:
  name: ${name}
spec:
  images:
    - glob: "${registry}/${name}/**"
${spec}  authorities:
    - name: release
      keyless:
        trustRootRef: ${TRUST_ROOT}
        identities:
          - ${identity.trim().replaceAll('\n', '\n      ')}
      ctlog:
        trustRootRef: ${TRUST_ROOT}
${authority}`;
}

function requirement(name: string, wanted: string): string {
  return `---
apiVersion: portcullis.dev/v1alpha1
kind: AuthorityRequirement
metadata:
  name: ${name}
spec:
  policy: ${name}
${wanted}`;
}
