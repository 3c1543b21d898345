import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { loadPolicyDirectory } from '../../../activities/policy/load.ts';
import type { Authority, PolicySet } from '../../../activities/policy/policy-set.ts';
import { formatProblem } from '../../../activities/yaml/problem.ts';

/** A public key as `cosign public-key` prints it. */
export function publicKeyPem(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .publicKey.export({ type: 'spki', format: 'pem' })
    .toString();
}

/** A directory with these files, gone after the test. */
export async function policyDirectory(
  t: TestContext,
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'policy-'));
  t.after(() => rm(directory, { recursive: true }));
  for (const [path, content] of Object.entries(files)) await writeInside(directory, path, content);
  return directory;
}

/** Writes one file below a directory. */
export async function writeInside(directory: string, path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(join(directory, path)), { recursive: true });
  await writeFile(join(directory, path), content);
}

/** A policy that loads when `secrets/release.pub` is there; `spec` and `authority` are added lines. */
export function policyYaml({
  name = 'demo',
  spec = '',
  authority = '',
  key = 'secretRef: {name: release}',
}: {
  readonly name?: string;
  readonly spec?: string;
  readonly authority?: string;
  readonly key?: string;
} = {}): string {
  return `apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata:
  name: ${name}
spec:
  images:
    - glob: "ghcr.io/example/**"
  authorities:
    - key:
        ${key}
${authority}${spec}`;
}

/** Parts of a document; YAML reads JSON as well. */
export type Parts = Readonly<Record<string, unknown>>;

/** An authority that loads and trusts public-good. */
export const KEYLESS: Parts = { identities: [{ issuer: 'https://issuer.example', subject: 'release@example.com' }] };

/** A policy with these authorities. */
export function policyDocument(authorities: readonly Parts[], spec: Parts = {}, name = 'demo'): string {
  return JSON.stringify({
    apiVersion: 'policy.sigstore.dev/v1beta1',
    kind: 'ClusterImagePolicy',
    metadata: { name },
    spec: { images: [{ glob: '**' }], authorities, ...spec },
  });
}

/** An AuthorityRequirement of the policy `demo`. */
export function requirementDocument(spec: Parts, name = 'more'): string {
  return JSON.stringify({
    apiVersion: 'portcullis.dev/v1alpha1',
    kind: 'AuthorityRequirement',
    metadata: { name },
    spec: { policy: 'demo', ...spec },
  });
}

/** The problems of a directory with these files, one line each. */
export async function problemsOf(
  t: TestContext,
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<readonly string[]> {
  const load = await loadPolicyDirectory(await policyDirectory(t, files));
  return load.ok ? [] : load.problems.map(formatProblem);
}

/** The set that a directory with these files loads as. */
export async function setOf(t: TestContext, files: Readonly<Record<string, string | Uint8Array>>): Promise<PolicySet> {
  const load = await loadPolicyDirectory(await policyDirectory(t, files));
  return load.ok ? load.set : assert.fail(load.problems.map(formatProblem).join('\n'));
}

/** The one authority of the one policy in these files. */
export async function authorityOf(
  t: TestContext,
  authority: Parts,
  files: Readonly<Record<string, string | Uint8Array>> = {},
): Promise<Authority> {
  const { policies } = await setOf(t, { 'demo.yaml': policyDocument([authority]), ...files });
  return policies[0]?.authorities[0] ?? assert.fail('no authority');
}
