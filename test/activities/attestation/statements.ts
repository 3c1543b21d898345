import type { Statement } from '../../../activities/sigstore/judgement.ts';

/** A statement about one image, as `judge` hands it over. */
export function stating(predicate: unknown, predicateType = 'https://example.com/test'): Statement {
  const subject = [{ name: 'registry.example/app', digest: { sha256: 'ab'.repeat(32) } }];
  const document = { _type: 'https://in-toto.io/Statement/v1', subject, predicateType, predicate };
  return { predicateType, predicate, document };
}

/** SLSA provenance v0.2, cut to what policies look at. */
export const SLSA_V02 = stating(
  {
    builder: { id: 'https://github.com/actions/runner' },
    buildType: 'https://github.com/npm/cli/gha/v2',
    invocation: { configSource: { uri: 'git+https://github.com/acme/app@refs/heads/main', digest: { sha1: 'ab' } } },
    metadata: { completeness: { parameters: true, environment: false, materials: false }, reproducible: false },
    materials: [{ uri: 'git+https://github.com/acme/app@refs/heads/main', digest: { sha1: 'ab' } }],
  },
  'https://slsa.dev/provenance/v0.2',
);

/** SLSA provenance v1, as GitHub writes it. */
export const SLSA_V1 = stating(
  {
    buildDefinition: {
      buildType: 'https://actions.github.io/buildtypes/workflow/v1',
      externalParameters: {
        workflow: {
          ref: 'refs/heads/main',
          repository: 'https://github.com/acme/app',
          path: '.github/workflows/x.yml',
        },
      },
      internalParameters: { github: { event_name: 'push', runner_environment: 'github-hosted' } },
      resolvedDependencies: [{ uri: 'git+https://github.com/acme/app@refs/heads/main', digest: { gitCommit: 'ab' } }],
    },
    runDetails: {
      builder: { id: 'https://github.com/acme/app/.github/workflows/x.yml@refs/heads/main' },
      metadata: { invocationId: 'https://github.com/acme/app/actions/runs/1', startedOn: '2026-06-01T10:00:00Z' },
    },
  },
  'https://slsa.dev/provenance/v1',
);

export const SPDX = stating(
  {
    SPDXID: 'SPDXRef-DOCUMENT',
    spdxVersion: 'SPDX-2.3',
    packages: [
      { name: 'musl', SPDXID: 'SPDXRef-musl', versionInfo: '1.2.5', licenseConcluded: 'MIT' },
      { name: 'zlib', SPDXID: 'SPDXRef-zlib', versionInfo: '1.3.1', licenseConcluded: 'Zlib' },
    ],
  },
  'https://spdx.dev/Document',
);

export const CYCLONEDX = stating(
  {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    components: [
      { type: 'library', name: 'zlib', version: '1.3.1', purl: 'pkg:apk/alpine/zlib@1.3.1' },
      { type: 'operating-system', name: 'alpine', version: '3.22' },
    ],
  },
  'https://cyclonedx.org/bom',
);

/** cosign's vulnerability record (COSIGN_VULN_ATTESTATION_SPEC). */
export const VULN = stating(
  {
    invocation: { uri: '', event_id: '', 'builder.id': '' },
    scanner: {
      uri: 'pkg:github/acme/scanner@1',
      version: '1.0.0',
      db: { uri: 'https://example.com/db', version: '5' },
      result: {
        vulnerabilities: [
          { id: 'CVE-2026-0001', severity: 'HIGH', score: 7.5 },
          { id: 'CVE-2026-0002', severity: 'LOW', score: 3 },
        ],
      },
    },
    metadata: { scanStartedOn: '2026-11-01T10:00:00Z', scanFinishedOn: '2026-11-01T10:02:00Z' },
  },
  'https://cosign.sigstore.dev/attestation/vuln/v1',
);

/** A SLSA verification summary v1. */
export const VSA = stating(
  {
    verifier: { id: 'https://example.com/verifier' },
    timeVerified: '2026-11-01T10:00:00Z',
    resourceUri: 'oci://registry.example/app',
    policy: { uri: 'https://example.com/policy' },
    verificationResult: 'PASSED',
    verifiedLevels: ['SLSA_BUILD_LEVEL_3', 'ACME_REVIEWED'],
    slsaVersion: '1.1',
  },
  'https://slsa.dev/verification_summary/v1',
);
