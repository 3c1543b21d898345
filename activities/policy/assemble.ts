import type { DockerConfig } from '../registry/credentials/docker-config.ts';
import type { TrustRootDocument } from '../trust/trust-root-document.ts';
import { readTrustedRootJson } from '../trust/trusted-root/trusted-root-json.ts';
import { reject } from '../yaml/field.ts';
import { quote } from '../yaml/problem.ts';
import type { AuthorityDocument } from './cluster-image-policy/authority.ts';
import { addDemands } from './demands.ts';
import { trustPath } from './directory.ts';
import type { RequirementDocument } from './own-documents/authority-requirement.ts';
import { revocationLists } from './own-documents/revocation.ts';
import type { FileDocument, PolicyFile } from './policy-file.ts';
import type { Policy, PolicySet } from './policy-set.ts';
import { parsePullSecret } from './pull-secret.ts';
import { pullSecretsOf, trustRootReferencesOf } from './references.ts';
import { type Files, resolveAuthority } from './resolve.ts';

/**
 * Puts the documents of a directory and the files that they refer to together. What does not fit is reported at the
 * place that names it.
 */
export function assemble(files: readonly PolicyFile[], referred: Files): Omit<PolicySet, 'contentHash'> {
  const documents = files.flatMap((file) => file.documents);
  const requirements = documents.flatMap((one) => (one.kind === 'requirement' ? [one.requirement] : []));
  const policies = files.flatMap(({ path, documents }) =>
    documents.flatMap((one) => (one.kind === 'policy' ? [{ file: path, policy: one.policy }] : [])),
  );
  const authorities = policies.flatMap(({ policy }) => policy.authorities);
  checkTargets(requirements, policies);
  const revoking = documents.flatMap((one) => (one.kind === 'revocation' ? [one.revocation] : []));
  return {
    policies: policies.map(({ file, policy: { name, images, mode, authorities: signers } }): Policy => {
      const wanted = requirements.filter((one) => one.policy === name);
      return { name, file, images, mode, authorities: signers.flatMap((one) => toAuthority(one, wanted, referred)) };
    }),
    offlineUses: documents.flatMap((one) => (one.kind === 'offline-use' ? [one.offlineUse] : [])),
    revocations: revocationLists(revoking),
    revokedNames: [...new Set(revoking.flatMap(({ names }) => names))],
    trustRoots: trustRoots(documents, authorities, referred),
    pullSecrets: pullSecrets(authorities, referred),
  };
}

function toAuthority(document: AuthorityDocument, wanted: readonly RequirementDocument[], referred: Files) {
  const resolved = resolveAuthority(document, referred);
  if (resolved === undefined) return [];
  const own = wanted.filter(({ authority }) => authority === undefined || authority.name === document.name);
  return [addDemands(resolved, own)];
}

/** A requirement that is about nothing would be one that somebody believes in and nobody looks at. */
function checkTargets(
  requirements: readonly RequirementDocument[],
  policies: readonly {
    readonly policy: { readonly name: string; readonly authorities: readonly AuthorityDocument[] };
  }[],
): void {
  for (const { policy: name, policyField, authority } of requirements) {
    const found = policies.find(({ policy }) => policy.name === name)?.policy;
    if (found === undefined) {
      reject(
        policyField,
        `expected the name of a ClusterImagePolicy of this directory, found ${quote(name)}; correct it`,
      );
    } else if (authority !== undefined && !found.authorities.some((one) => one.name === authority.name)) {
      const known = found.authorities.map((one) => one.name).join(', ');
      reject(
        authority.field,
        `expected an authority of ${name} (${known}), found ${quote(authority.name)}; correct it`,
      );
    }
  }
}

function trustRoots(
  documents: readonly FileDocument[],
  authorities: readonly AuthorityDocument[],
  referred: Files,
): readonly TrustRootDocument[] {
  const written = documents.filter((one) => one.kind === 'trust-root');
  const known = new Map(written.map((one) => [one.name, one.trustRoot]));
  const problems = new Map<string, string>();
  for (const { name, field } of authorities.flatMap(trustRootReferencesOf)) {
    if (known.has(name) || field === undefined) continue;
    const read = problems.has(name) ? undefined : readTrustRootFile(name, referred);
    if (read?.ok === true) known.set(name, read.document);
    else {
      const problem = problems.get(name) ?? (read?.problem || 'it was not read');
      problems.set(name, problem);
      if (referred.get(trustPath(name))?.ok === true) reject(field, `${trustPath(name)}: ${problem}`);
      else
        reject(field, `expected a TrustRoot ${quote(name)} or the file ${trustPath(name)}, found neither: ${problem}`);
    }
  }
  return [...known.values()].filter((one) => one !== undefined);
}

function readTrustRootFile(name: string, referred: Files) {
  const read = referred.get(trustPath(name));
  if (read?.ok === true) return readTrustedRootJson(name, read.bytes, 'refuse');
  return { ok: false as const, problem: read?.problem.message ?? 'it was not read' };
}

function pullSecrets(authorities: readonly AuthorityDocument[], referred: Files): ReadonlyMap<string, DockerConfig> {
  const known = new Map<string, DockerConfig>();
  for (const { name, path, field } of authorities.flatMap(pullSecretsOf)) {
    if (known.has(name)) continue;
    const read = referred.get(path);
    if (read?.ok !== true) {
      reject(field, `${path}: ${read?.problem.message ?? 'expected a file that was read'}`);
      continue;
    }
    const parsed = parsePullSecret(read.bytes.toString('utf8'));
    if (parsed.ok) known.set(name, parsed.config);
    else reject(field, `${path}: the credential is not usable: ${parsed.problem}; write it with docker login`);
  }
  return known;
}
