import { parseFullName, parseName, repositoryOf } from '../../workflows/format/name.ts';
import { type Glob, parseGlob } from '../../workflows/policy/glob.ts';
import { MAX_SIGNED_AS } from '../limits.ts';
import { type Field, hasField, isText, readList, readMapping, readText, reject, required } from '../yaml/field.ts';
import { REQUIREMENT_TABLES } from '../yaml/field-tables.ts';
import { quote } from '../yaml/problem.ts';
import { readGlob } from './cluster-image-policy/cluster-image-policy.ts';
import type { SignedAs } from './policy-set.ts';

const FORMS = ['repository', 'glob', 'prefix'] as const;
const FORMS_TEXT = 'repository, glob, or prefix with signedPrefix';

/** Reads `spec.signedAs` of an AuthorityRequirement. */
export function readSignedAs(field: Field): readonly SignedAs[] | undefined {
  const items = readList(field, MAX_SIGNED_AS);
  return items?.flatMap((item) => readItem(item) ?? []);
}

function readItem(item: Field): SignedAs | undefined {
  if (isText(item)) {
    const fix = 'write "- repository: registry.example/app"';
    return reject(item, `expected ${FORMS_TEXT}, found a string; ${fix}`);
  }
  const fields = readMapping(item, REQUIREMENT_TABLES['spec.signedAs[]']);
  if (fields === undefined) return undefined;
  const named = FORMS.filter((one) => hasField(item, one));
  const [form] = named;
  if (form === undefined || named.length > 1) {
    const found = form === undefined ? 'neither of them' : named.join(' and ');
    return reject(item, `expected one of ${FORMS_TEXT}, found ${found}; write each into an item of its own`);
  }
  const value = fields.get(form);
  if (value === undefined) return undefined;
  if (form === 'prefix') return readPrefixes(item, value, fields);
  const other = fields.get('signedPrefix');
  if (other !== undefined)
    return reject(other, `expected signedPrefix beside prefix, found it beside ${form}; remove it`);
  const glob = form === 'repository' ? readRepository(value) : readRepositoryGlob(value);
  return glob && { kind: 'glob', glob };
}

function readRepository(field: Field): Glob | undefined {
  const text = readText(field);
  if (text === undefined) return undefined;
  if (text.includes('*')) {
    return reject(field, `expected one repository, found ${quote(text)}; write glob in place of repository`);
  }
  const name = parseName(text);
  const isRepository = name !== undefined && name.tag === undefined && name.digest === undefined;
  const glob = isRepository ? parseGlob(repositoryOf(name)) : undefined;
  return glob ?? reject(field, `expected registry/repository without tag or digest, found ${quote(text)}; correct it`);
}

/** Without a registry in plain letters, anyone's registry would do, and a signer's test image would pass for a release. */
function readRepositoryGlob(field: Field): Glob | undefined {
  const glob = readGlob(field);
  if (glob === undefined) return undefined;
  const [registry = '', ...path] = glob.split('/');
  // Stars are in no registry.
  if (path.length === 0 || parseFullName(`${registry}/a`) === undefined) {
    const fix = 'write each registry without a star into an item of its own';
    return reject(field, `expected a glob that begins with a registry, found ${quote(glob)}; ${fix}`);
  }
  if (!glob.slice(glob.lastIndexOf('/')).includes(':')) return glob;
  return reject(field, `expected a glob of repositories, without tags, found ${quote(glob)}; remove the tag`);
}

function readPrefixes(item: Field, prefixField: Field, fields: ReadonlyMap<string, Field>): SignedAs | undefined {
  const prefix = readPrefix(prefixField);
  const signedField = required(item, fields, 'signedPrefix', 'add what stands in its place where the image is signed');
  const signedPrefix = signedField && readPrefix(signedField);
  if (prefix === undefined || signedPrefix === undefined || signedField === undefined) return undefined;
  if (prefix !== signedPrefix) return { kind: 'prefix', prefix, signedPrefix };
  return reject(signedField, `expected another prefix than ${quote(prefix)}, found the same; correct one of them`);
}

/** What has to follow a prefix to make it a name. Docker Hub leaves two components as they are. */
const BELOW = '/a/a';

/** Reads a registry, or a registry with the beginning of a path; answers it in its canonical form. */
function readPrefix(field: Field): string | undefined {
  const text = readText(field);
  const name = text === undefined ? undefined : parseFullName(text + BELOW);
  if (name !== undefined && name.tag === undefined) return repositoryOf(name).slice(0, -BELOW.length);
  const expected = 'expected a registry, or a registry with the beginning of a path, without a slash at its end';
  return text === undefined ? undefined : reject(field, `${expected}, found ${quote(text)}; correct it`);
}
