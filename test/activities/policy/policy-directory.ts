import { generateKeyPairSync } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';

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
