import { MAX_POLICIES, MAX_POLICY_FILES, MAX_TRUST_ROOTS } from '../limits.ts';
import { type Field, reject } from '../yaml/field.ts';
import { type PolicyProblem, quote } from '../yaml/problem.ts';
import { assemble } from './assemble.ts';
import { type FileRead, listPolicyFiles, mountVersion, openToOthers, readInside } from './directory.ts';
import { type FileDocument, type PolicyFile, readPolicyFile } from './policy-file.ts';
import type { PolicyLoad } from './policy-set.ts';
import { filesOf } from './references.ts';
import { revisionOf } from './revision.ts';

/** How often a mount that changes while it is read is read again. */
const READ_ATTEMPTS = 3;

export interface LoadOptions {
  /** Whether a file that another user than root and the user of this process may change is a problem. */
  readonly own?: boolean;
}

/**
 * Loads a policy directory as a whole: all policies, or all problems of all files. An empty directory is a set
 * without policies (by which every pull is refused), a missing one is a problem. Never throws for what is in the
 * directory or missing there.
 */
export async function loadPolicyDirectory(directory: string, options: LoadOptions = {}): Promise<PolicyLoad> {
  for (let attempt = 1; ; attempt += 1) {
    const before = await mountVersion(directory);
    const load = await loadOnce(directory, options);
    if (before === (await mountVersion(directory))) return load;
    if (attempt === READ_ATTEMPTS) {
      const message =
        'expected files that stand still, found them replaced again and again; wait for the update to end';
      const revision = load.ok ? load.set.contentHash : load.revision;
      return { ok: false, revision, problems: [{ file: '.', field: '', message }] };
    }
  }
}

async function loadOnce(directory: string, { own = false }: LoadOptions): Promise<PolicyLoad> {
  const listing = await listPolicyFiles(directory);
  if (!listing.ok)
    return { ok: false, revision: revisionOf([unreadable(listing.problem)]), problems: [listing.problem] };
  const reads: FileRead[] = [];
  for (const path of listing.paths) reads.push(await readInside(directory, path));
  const files = reads.flatMap((read) => (read.ok ? [readPolicyFile(read.path, read.bytes)] : []));
  checkTogether(files);

  const paths = referredPaths(files);
  const referred = new Map<string, FileRead>();
  for (const path of paths.slice(0, MAX_POLICY_FILES)) referred.set(path, await readInside(directory, path));
  const content = assemble(files, referred);

  const onlyRevoking = new Set(files.filter(onlyRevokes).map(({ path }) => path));
  const deciding = reads.filter((read) => !read.ok || !onlyRevoking.has(read.path));
  const revision = revisionOf(
    [...deciding, ...referred.values()].map((read) =>
      read.ok ? { path: read.path, content: read.bytes } : unreadable(read.problem),
    ),
  );
  const unread = reads.flatMap((read) => (read.ok ? [] : [read.problem]));
  if (own) unread.push(...(await openToOthers(directory, [...listing.paths, ...referred.keys()])));
  if (paths.length > MAX_POLICY_FILES) {
    const message = `expected at most ${MAX_POLICY_FILES} files that policies name, found ${paths.length}; share some`;
    unread.push({ file: '.', field: '', message });
  }
  const problems = [...unread, ...files.flatMap((file) => file.problems)].toSorted(byPlace);
  return problems.length === 0
    ? { ok: true, set: { contentHash: revision, ...content } }
    : { ok: false, revision, problems };
}

/** Such a file changes no decision but that about the digests that it names. */
function onlyRevokes({ documents, problems }: PolicyFile): boolean {
  return problems.length === 0 && documents.length > 0 && documents.every(({ kind }) => kind === 'revocation');
}

/** What each kind of document is counted against. */
const MOST: Readonly<Record<FileDocument['kind'], number>> = {
  policy: MAX_POLICIES,
  requirement: MAX_POLICIES,
  'offline-use': MAX_POLICIES,
  revocation: MAX_POLICIES,
  'trust-root': MAX_TRUST_ROOTS,
};

/** Names are unique among documents of one kind, and documents of one kind are bounded in number. */
function checkTogether(files: readonly PolicyFile[]): void {
  const seen = new Map<FileDocument['kind'], Map<string, string>>();
  for (const { path, documents } of files) {
    for (const document of documents) {
      const { name, field } = nameOf(document);
      const names = seen.get(document.kind) ?? new Map<string, string>();
      seen.set(document.kind, names);
      const other = names.get(name);
      if (other !== undefined)
        reject(field, `expected a new name, found ${quote(name)} already in ${other}; rename one`);
      else names.set(name, path);
      const most = MOST[document.kind];
      if (names.size === most + 1)
        reject(field, `expected at most ${most} documents of this kind, found more; merge some`);
    }
  }
}

function nameOf(document: FileDocument): { readonly name: string; readonly field: Field } {
  switch (document.kind) {
    case 'policy':
      return { name: document.policy.name, field: document.policy.nameField };
    case 'requirement':
      return { name: document.requirement.name, field: document.requirement.nameField };
    case 'offline-use':
      return { name: document.offlineUse.name, field: document.offlineUse.nameField };
    case 'revocation':
      return { name: document.revocation.name, field: document.revocation.nameField };
    case 'trust-root':
      return { name: document.name, field: { ...document.field, path: 'metadata.name' } };
  }
}

function referredPaths(files: readonly PolicyFile[]): readonly string[] {
  const documents = files.flatMap((file) => file.documents);
  const named = documents.flatMap((one) => (one.kind === 'trust-root' ? [one.name] : []));
  const authorities = documents.flatMap((one) => (one.kind === 'policy' ? one.policy.authorities : []));
  return filesOf(authorities, new Set(named));
}

function unreadable(problem: PolicyProblem) {
  return { path: problem.file, content: { unreadable: problem.message } };
}

function byPlace(a: PolicyProblem, b: PolicyProblem): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}
