import { type Glob, MAX_GLOB_LENGTH, parseGlob } from '../../../workflows/policy/glob.ts';
import { canMatch, canonicalGlob } from '../../../workflows/policy/glob-language.ts';
import { MAX_AUTHORITIES, MAX_GLOBS } from '../../limits.ts';
import { type Field, readList, readMapping, readText, readWord, reject, required } from '../../yaml/field.ts';
import { FIELD_TABLES } from '../../yaml/field-tables.ts';
import { quote } from '../../yaml/problem.ts';
import { type DocumentName, hasVersion, readMetadata } from '../metadata.ts';
import type { Policy } from '../policy-set.ts';
import { type AuthorityDocument, readAuthority } from './authority.ts';

/** A ClusterImagePolicy as it stands in its file: what it names in other files is not read yet. */
export interface PolicyDocument extends DocumentName {
  readonly images: readonly Glob[];
  readonly mode: Policy['mode'];
  readonly authorities: readonly AuthorityDocument[];
}

const API_VERSIONS: readonly string[] = ['policy.sigstore.dev/v1beta1', 'policy.sigstore.dev/v1alpha1'];

/**
 * Reads one document as a ClusterImagePolicy. Reports everything that is wrong with it, not only the first problem;
 * a document with problems answers `undefined` or a policy that is not to be used.
 */
export function readClusterImagePolicy(document: Field): PolicyDocument | undefined {
  const fields = readMapping(document, FIELD_TABLES['']);
  if (fields === undefined || !hasVersion(document, fields, API_VERSIONS)) return undefined;
  const name = readMetadata(document, fields);
  const spec = required(document, fields, 'spec', 'add spec.images and spec.authorities');
  const rules = spec && readSpec(spec);
  return name === undefined || rules === undefined ? undefined : { ...name, ...rules };
}

function readSpec(spec: Field): Omit<PolicyDocument, keyof DocumentName> | undefined {
  const fields = readMapping(spec, FIELD_TABLES.spec);
  if (fields === undefined) return undefined;
  const modeField = fields.get('mode');
  const mode = modeField && readWord(modeField, ['enforce', 'warn'], 'remove it to enforce the policy');
  const images = required(spec, fields, 'images', 'add a list of globs');
  const authorities = required(spec, fields, 'authorities', 'add who may sign');
  const globs = images && readList(images, MAX_GLOBS)?.map(readImage);
  const signers = authorities && readList(authorities, MAX_AUTHORITIES)?.map(readAuthority);
  if (globs === undefined || signers === undefined || authorities === undefined) return undefined;
  const known = signers.filter((one) => one !== undefined);
  const twice = known.find((one, i) => known.findIndex((other) => other.name === one.name) < i);
  if (twice !== undefined)
    reject(authorities, `expected different names, found ${quote(twice.name)} twice; rename one`);
  return { images: globs.filter((glob) => glob !== undefined), mode: mode ?? 'enforce', authorities: known };
}

/** Reads `{glob: ...}`, which names images. */
export function readImage(image: Field): Glob | undefined {
  const fields = readMapping(image, FIELD_TABLES['spec.images[]']);
  const field = fields && required(image, fields, 'glob', 'add a glob');
  return field && readGlob(field);
}

/** Reads a glob that some name can match. */
export function readGlob(field: Field): Glob | undefined {
  const text = readText(field);
  if (text === undefined) return undefined;
  const glob = parseGlob(text);
  if (glob !== undefined) return canMatch(glob) ? glob : rejectDead(field, glob);
  if (text.includes('@')) {
    return reject(
      field,
      `expected a name without a digest, found ${quote(text)}; end the glob before the @, digests are not matched`,
    );
  }
  const allowed = `at most ${MAX_GLOB_LENGTH} of letters, digits and - _ : / . *, or an IPv6 address in brackets before them`;
  return reject(field, `expected ${allowed}, found ${quote(text)}; patterns are globs, not regular expressions`);
}

/** A policy that can't apply to any image would look like protection. */
function rejectDead(field: Field, glob: Glob): undefined {
  const instead = canonicalGlob(glob);
  const fix = instead === undefined ? 'correct it' : `write ${quote(instead)}`;
  const names = 'names are host[:port]/repository[:tag], all but the tag in lower case';
  return reject(field, `expected a glob that some image name matches, found ${quote(glob)} (${names}); ${fix}`);
}
