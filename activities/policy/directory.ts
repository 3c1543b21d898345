import { constants } from 'node:fs';
import { open, readdir, readlink, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { MAX_POLICY_BYTES, MAX_POLICY_FILES } from '../limits.ts';
import { distrustOf } from '../own-folder.ts';
import type { PolicyProblem } from '../yaml/problem.ts';

/** A file that was read, or why it was not. */
export type FileRead =
  | { readonly ok: true; readonly path: string; readonly bytes: Buffer }
  | { readonly ok: false; readonly path: string; readonly problem: PolicyProblem };

/** The policy files of a directory, sorted by path. */
export type Listing =
  | { readonly ok: true; readonly paths: readonly string[] }
  | { readonly ok: false; readonly problem: PolicyProblem };

/** What a policy names by a Kubernetes secret, by the ending of its file: a public key, certificates, a docker config. */
export type SecretKind = 'pub' | 'pem' | 'json';

/** Where the files live that a policy names by `secretRef` and `signaturePullSecrets`, and by `trustRootRef`. */
const SECRETS = 'secrets';
const TRUST = 'trust';

/**
 * Lists the policy files: every name that ends in `.yaml` or `.yml`, in the directory itself. Names that begin with a
 * dot are left out (Kubernetes keeps the content of a ConfigMap in `..data`). What looks like a policy by another
 * spelling of the extension is a problem, because a policy that is left out by accident may let images in.
 */
export async function listPolicyFiles(directory: string): Promise<Listing> {
  let names: readonly string[];
  try {
    names = (await readdir(directory)).filter((name) => !name.startsWith('.')).toSorted();
  } catch (error) {
    return { ok: false, problem: whole('.', describeUnlisted(systemCode(error))) };
  }
  const misspelt = names.find((name) => /\.(?:ya?ml|json)$/i.test(name) && !isPolicyFile(name));
  if (misspelt !== undefined) {
    return { ok: false, problem: whole(misspelt, 'expected a name ending in .yaml or .yml; rename or remove it') };
  }
  const paths = names.filter(isPolicyFile);
  if (paths.length > MAX_POLICY_FILES) {
    const message = `expected at most ${MAX_POLICY_FILES} policy files, found ${paths.length}; merge some`;
    return { ok: false, problem: whole('.', message) };
  }
  return { ok: true, paths };
}

function describeUnlisted(code: string): string {
  switch (code) {
    case 'ENOENT':
      return 'expected a readable directory, found ENOENT; create it';
    case 'ENOTDIR':
      return 'expected a readable directory, found something that is not a directory; name the folder of the policy files';
    default:
      return `expected a readable directory, found ${code}; correct its mode or its place`;
  }
}

/** The path of the file that a secret's name stands for. The name has been checked: it holds no separator. */
export function secretPath(name: string, kind: SecretKind): string {
  return `${SECRETS}/${name}.${kind}`;
}

/** The path of the `trusted_root.json` that a `trustRootRef` stands for. The name has been checked. */
export function trustPath(name: string): string {
  return `${TRUST}/${name}.json`;
}

/** What other users may change of the directory and of these files in it: the directory alone when it is that. */
export async function openToOthers(directory: string, paths: readonly string[]): Promise<readonly PolicyProblem[]> {
  const problems: PolicyProblem[] = [];
  for (const path of ['.', ...paths]) {
    // What can't be looked at can't be read either, which is a problem of its own.
    const message = await distrustOf(join(directory, path)).catch(() => undefined);
    if (message !== undefined) problems.push(whole(path, `${message}, or start the worker with --shared-policy`));
    if (path === '.' && message !== undefined) break;
  }
  return problems;
}

/** Reads one file of the directory: regular, bounded by {@link MAX_POLICY_BYTES}, and after all links still inside. */
export async function readInside(directory: string, path: string): Promise<FileRead> {
  try {
    const root = await realpath(directory);
    const target = await realpath(join(directory, path));
    if (!target.startsWith(root.endsWith(sep) ? root : root + sep)) {
      return failed(path, 'expected a file inside the policy directory, found a link that leaves it; copy the file');
    }
    return await readBounded(target, path);
  } catch (error) {
    return failed(path, `expected a readable file, found ${systemCode(error)}; create it or correct its mode`);
  }
}

/**
 * What Kubernetes swaps when a mounted ConfigMap changes: the same answer before and after reading means that all
 * files are of one version.
 */
export async function mountVersion(directory: string): Promise<string | undefined> {
  try {
    return await readlink(join(directory, '..data'));
  } catch {
    // Not a mount: an ordinary directory has no such link.
    return undefined;
  }
}

async function readBounded(target: string, path: string): Promise<FileRead> {
  // Non-blocking, because opening a named pipe would wait for a writer.
  const file = await open(target, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await file.stat()).isFile()) return failed(path, 'expected a regular file; replace or remove it');
    const buffer = Buffer.alloc(MAX_POLICY_BYTES + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
      if (bytesRead === 0) return { ok: true, path, bytes: Buffer.from(buffer.subarray(0, length)) };
      length += bytesRead;
    }
    return failed(path, `expected at most ${MAX_POLICY_BYTES} bytes, found more; split it`);
  } finally {
    await file.close();
  }
}

function isPolicyFile(name: string): boolean {
  return name.endsWith('.yaml') || name.endsWith('.yml');
}

function failed(path: string, message: string): FileRead {
  return { ok: false, path, problem: whole(path, message) };
}

function whole(file: string, message: string): PolicyProblem {
  return { file, field: '', message };
}

function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'an unknown error';
}
