import { Metadata, MetadataKind } from '@tufjs/models';
import { isRecord } from '../../../workflows/format/record.ts';
import { parseStrictJson } from '../../text/strict-json.ts';
import { type Field, readMapping, readText, readUrl, reject, required } from '../../yaml/field.ts';
import { TRUSTED_ROOT_TARGET, type TrustRootSource } from '../trust-root-document.ts';
import { readBase64 } from './base64-field.ts';
import { readMirrorArchive } from './mirror-archive.ts';
import { TRUST_ROOT_TABLES } from './trust-root-tables.ts';

/** policy-controller `trustroot_defaults.go`. */
const TARGETS = 'targets';

/** policy-controller `DefaultTUFRepoPrefix`: what its own tools put before every path of a mirror. */
const ARCHIVE_PREFIX = 'repository/';

/** Reads `spec.remote`. */
export function readRemote(remote: Field): TrustRootSource | undefined {
  const fields = readMapping(remote, TRUST_ROOT_TABLES['spec.remote']);
  if (fields === undefined) return undefined;
  const rootField = required(remote, fields, 'root', 'add the initial root.json as base64');
  const root = rootField && readRoot(rootField);
  const mirrorField = required(remote, fields, 'mirror', 'add the URL of the TUF repository');
  const mirror = mirrorField && readMirror(mirrorField);
  const targets = readPath(fields.get('targets'), TARGETS);
  const target = readPath(fields.get('trustedRootTarget'), TRUSTED_ROOT_TARGET);
  if (root === undefined || mirror === undefined || targets === undefined || target === undefined) return undefined;
  return { kind: 'remote', root, mirror, targets, target };
}

/** Reads `spec.repository`. What its metadata proves is for the update to find, with the same rules as for a mirror. */
export function readRepository(repository: Field): TrustRootSource | undefined {
  const fields = readMapping(repository, TRUST_ROOT_TABLES['spec.repository']);
  if (fields === undefined) return undefined;
  const rootField = required(repository, fields, 'root', 'add the initial root.json as base64');
  const root = rootField && readRoot(rootField);
  const mirrorField = required(repository, fields, 'mirrorFS', 'add the mirror as base64 of tar.gz');
  const archive = mirrorField && readBase64(mirrorField);
  const targets = readPath(fields.get('targets'), TARGETS);
  const target = readPath(fields.get('trustedRootTarget'), TRUSTED_ROOT_TARGET);
  if (mirrorField === undefined || archive === undefined || root === undefined) return undefined;
  if (targets === undefined || target === undefined) return undefined;
  const read = readMirrorArchive(archive);
  if (!read.ok) return reject(mirrorField, read.problem);
  const files = new Map<string, Uint8Array>();
  for (const [path, bytes] of read.files) {
    const inside = path.startsWith(ARCHIVE_PREFIX) ? path.slice(ARCHIVE_PREFIX.length) : path;
    const known = inside.startsWith(`${targets}/`) ? `${TARGETS}/${inside.slice(targets.length + 1)}` : inside;
    files.set(known, bytes);
  }
  if (files.has('timestamp.json')) return { kind: 'repository', root, files, target };
  return reject(mirrorField, 'expected timestamp.json in the mirror, found none; pack the whole TUF repository');
}

/** A root.json that its own keys sign, at any age: an old one is where updates begin. */
function readRoot(field: Field): Uint8Array | undefined {
  const bytes = readBase64(field);
  if (bytes === undefined) return undefined;
  const problem = rootProblem(bytes);
  return problem === undefined ? bytes : reject(field, problem);
}

function rootProblem(bytes: Uint8Array): string | undefined {
  const json = parseStrictJson(bytes);
  if (!json.ok || !isRecord(json.value)) return 'expected base64 of a root.json, found other bytes; encode the file';
  try {
    // Checked as JSON above; the library checks the rest of the shape.
    const root = Metadata.fromJSON(MetadataKind.Root, structuredClone(json.value) as never);
    root.verifyDelegate(MetadataKind.Root, root);
    return undefined;
  } catch {
    return 'expected a root.json that is signed by its own keys, found another one; take it from the TUF repository';
  }
}

function readMirror(field: Field): URL | undefined {
  const text = readUrl(field);
  const url = text === undefined ? undefined : new URL(text);
  if (url === undefined || (url.search === '' && url.hash === '')) return url;
  return reject(field, 'expected the URL of a directory, found one with ? or #; remove that part');
}

/** A path below the mirror, or the name of a target. */
function readPath(field: Field | undefined, otherwise: string): string | undefined {
  if (field === undefined) return otherwise;
  const text = readText(field);
  const segments = text?.split('/') ?? [];
  const plain = segments.every((segment) => /^[A-Za-z0-9._-]{1,128}$/.test(segment) && !/^\.+$/.test(segment));
  if (text === undefined || (plain && text.length <= 255)) return text;
  return reject(field, 'expected a relative path of letters, digits and . _ - /, found other text; correct it');
}
