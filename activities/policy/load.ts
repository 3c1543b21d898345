import { MAX_POLICIES } from '../limits.ts';
import { parsePublicKey } from '../sigstore/key.ts';
import { type KeyDocument, type PolicyDocument, readClusterImagePolicy } from './cluster-image-policy.ts';
import { type FileRead, listPolicyFiles, mountVersion, readInside, secretPath } from './directory.ts';
import { readYaml, type YamlFile } from './document.ts';
import { reject } from './field.ts';
import { type PolicyProblem, quote } from './policy-problem.ts';
import type { Authority, Policy, PolicyLoad } from './policy-set.ts';
import { revisionOf } from './revision.ts';

/** How often a mount that changes while it is read is read again. */
const READ_ATTEMPTS = 3;

/** One file with the policies that stand in it. */
interface PolicyFile extends YamlFile {
  readonly path: string;
  readonly policies: readonly PolicyDocument[];
}

/**
 * Loads a policy directory as a whole: all policies, or all problems of all files. An empty directory is a set
 * without policies (by which every pull is refused), a missing one is a problem. Never throws for what is in the
 * directory or missing there.
 */
export async function loadPolicyDirectory(directory: string): Promise<PolicyLoad> {
  for (let attempt = 1; ; attempt += 1) {
    const before = await mountVersion(directory);
    const load = await loadOnce(directory);
    if (before === (await mountVersion(directory))) return load;
    if (attempt === READ_ATTEMPTS) {
      const message =
        'expected files that stand still, found them replaced again and again; wait for the update to end';
      const revision = load.ok ? load.set.revision : load.revision;
      return { ok: false, revision, problems: [{ file: '.', field: '', message }] };
    }
  }
}

async function loadOnce(directory: string): Promise<PolicyLoad> {
  const listing = await listPolicyFiles(directory);
  if (!listing.ok)
    return { ok: false, revision: revisionOf([unreadable(listing.problem)]), problems: [listing.problem] };
  const reads: FileRead[] = [];
  for (const path of listing.paths) reads.push(await readInside(directory, path));
  const files = reads.flatMap((read) => (read.ok ? [readPolicyFile(read.path, read.bytes)] : []));
  checkTogether(files);

  const secrets = new Map<string, FileRead>();
  for (const name of secretNames(files)) secrets.set(name, await readInside(directory, secretPath(name)));
  const policies = files.flatMap((file) => file.policies.map((policy) => resolve(policy, file.path, secrets)));

  const revision = revisionOf(
    [...reads, ...secrets.values()].map((read) =>
      read.ok ? { path: read.path, content: read.bytes } : unreadable(read.problem),
    ),
  );
  const unread = reads.flatMap((read) => (read.ok ? [] : [read.problem]));
  const problems = [...unread, ...files.flatMap((file) => file.problems)].toSorted(byPlace);
  return problems.length === 0 ? { ok: true, set: { revision, policies } } : { ok: false, revision, problems };
}

function readPolicyFile(path: string, bytes: Uint8Array): PolicyFile {
  const yaml = readYaml(path, bytes);
  const policies = yaml.roots.flatMap(({ node, offset }) => {
    const policy = readClusterImagePolicy({ path: '', node, offset, report: yaml.report });
    return policy === undefined ? [] : [policy];
  });
  if (yaml.roots.length === 0 && yaml.problems.length === 0) {
    yaml.report(0, '', 'expected a ClusterImagePolicy, found nothing; remove the file or write a policy into it');
  }
  return { ...yaml, path, policies };
}

function checkTogether(files: readonly PolicyFile[]): void {
  const seen = new Map<string, string>();
  for (const file of files) {
    for (const { name, nameField } of file.policies) {
      const other = seen.get(name);
      if (other !== undefined)
        reject(nameField, `expected a new name, found ${quote(name)} already in ${other}; rename one`);
      else seen.set(name, file.path);
      if (seen.size === MAX_POLICIES + 1) reject(nameField, `expected at most ${MAX_POLICIES} policies; merge some`);
    }
  }
}

function secretNames(files: readonly PolicyFile[]): ReadonlySet<string> {
  const sources = files.flatMap((file) =>
    file.policies.flatMap((policy) => policy.authorities.map((one) => one.key.source)),
  );
  return new Set(sources.flatMap((source) => (source.kind === 'secret' ? [source.name] : [])).toSorted());
}

function resolve(policy: PolicyDocument, file: string, secrets: ReadonlyMap<string, FileRead>): Policy {
  const authorities = policy.authorities.flatMap(({ name, key: document }): readonly Authority[] => {
    const key = resolveKey(document, secrets);
    return key === undefined ? [] : [{ name, key }];
  });
  return { name: policy.name, file, images: policy.images, authorities };
}

function resolveKey({ source, field, hashAlgorithm }: KeyDocument, secrets: ReadonlyMap<string, FileRead>) {
  const read = source.kind === 'secret' ? secrets.get(source.name) : undefined;
  if (read !== undefined && !read.ok) return reject(field, `${read.path}: ${read.problem.message}`);
  const pem = source.kind === 'data' ? source.pem : (read?.bytes.toString('latin1') ?? '');
  const parsed = parsePublicKey(pem, hashAlgorithm);
  if (parsed.ok) return parsed.key;
  const where = read === undefined ? '' : `${read.path}: `;
  return reject(field, `${where}the key is not usable: ${parsed.problem}; paste the output of cosign public-key`);
}

function unreadable(problem: PolicyProblem) {
  return { path: problem.file, content: { unreadable: problem.message } };
}

function byPlace(a: PolicyProblem, b: PolicyProblem): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}
