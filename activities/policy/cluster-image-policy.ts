import { type Glob, MAX_GLOB_LENGTH, parseGlob } from '../../workflows/policy/glob.ts';
import { MAX_AUTHORITIES, MAX_GLOBS } from '../limits.ts';
import type { HashAlgorithm } from '../sigstore/key.ts';
import { type Field, hasField, readList, readMapping, readText, reject, required } from './field.ts';
import { FIELD_TABLES } from './field-tables.ts';
import { quote } from './policy-problem.ts';

/** A ClusterImagePolicy as it stands in its file: keys are not parsed, and those in files not read yet. */
export interface PolicyDocument {
  readonly name: string;
  /** For problems that show only beside other documents. */
  readonly nameField: Field;
  readonly images: readonly Glob[];
  readonly authorities: readonly AuthorityDocument[];
}

export interface AuthorityDocument {
  readonly name: string;
  readonly key: KeyDocument;
}

export interface KeyDocument {
  readonly source: { readonly kind: 'data'; readonly pem: string } | { readonly kind: 'secret'; readonly name: string };
  /** The value that holds or names the key. */
  readonly field: Field;
  readonly hashAlgorithm: HashAlgorithm | undefined;
}

const API_VERSIONS: readonly string[] = ['policy.sigstore.dev/v1beta1', 'policy.sigstore.dev/v1alpha1'];
const HASH_ALGORITHMS: readonly HashAlgorithm[] = ['sha256', 'sha384', 'sha512'];

/** Where policy-controller looks for secrets, whatever the reference says. */
const SECRET_NAMESPACE = 'cosign-system';

/** A Kubernetes object name (RFC 1123 subdomain), which also is a safe file name. */
const OBJECT_NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;
const AUTHORITY_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

/**
 * Reads one document as a ClusterImagePolicy. Reports everything that is wrong with it, not only the first problem;
 * a document with problems answers `undefined` or a policy that is not to be used.
 */
export function readClusterImagePolicy(document: Field): PolicyDocument | undefined {
  const fields = readMapping(document, FIELD_TABLES['']);
  if (fields === undefined) return undefined;
  if (!isClusterImagePolicy(document, fields)) return undefined;
  const metadata = required(document, fields, 'metadata', 'add metadata.name');
  const spec = required(document, fields, 'spec', 'add spec.images and spec.authorities');
  const nameField = metadata && readName(metadata);
  const name = nameField && readObjectName(nameField);
  const rules = spec && readSpec(spec);
  return name === undefined || nameField === undefined || rules === undefined
    ? undefined
    : { name, nameField, ...rules };
}

function isClusterImagePolicy(document: Field, fields: ReadonlyMap<string, Field>): boolean {
  const apiVersion = required(document, fields, 'apiVersion', `write ${API_VERSIONS[0]}`);
  const kind = required(document, fields, 'kind', 'write ClusterImagePolicy');
  const version = apiVersion && readText(apiVersion);
  const kindText = kind && readText(kind);
  if (apiVersion !== undefined && version !== undefined && !API_VERSIONS.includes(version)) {
    reject(
      apiVersion,
      `expected ${API_VERSIONS.join(' or ')}, found ${quote(version)}; write the policy in sigstore's form`,
    );
    return false;
  }
  if (kind !== undefined && kindText !== undefined && kindText !== 'ClusterImagePolicy') {
    const fix = kindText === 'TrustRoot' ? 'not supported yet; keep it elsewhere' : 'keep other kinds elsewhere';
    reject(kind, `expected ClusterImagePolicy, found ${quote(kindText)}; ${fix}`);
    return false;
  }
  return version !== undefined && kindText !== undefined;
}

function readName(metadata: Field): Field | undefined {
  const fields = readMapping(metadata, FIELD_TABLES.metadata);
  return fields && required(metadata, fields, 'name', 'give the policy a name');
}

function readSpec(spec: Field): Pick<PolicyDocument, 'images' | 'authorities'> | undefined {
  const fields = readMapping(spec, FIELD_TABLES.spec);
  if (fields === undefined) return undefined;
  const mode = fields.get('mode');
  const modeText = mode && readText(mode);
  if (mode !== undefined && modeText !== undefined && modeText !== 'enforce') {
    const found = modeText === 'warn' ? '"warn" (not supported yet)' : quote(modeText);
    reject(mode, `expected enforce, found ${found}; remove it to enforce the policy`);
  }
  const images = required(spec, fields, 'images', 'add a list of globs');
  const authorities = required(spec, fields, 'authorities', 'add who may sign');
  const globs = images && readList(images, MAX_GLOBS)?.map(readImage);
  const signers = authorities && readList(authorities, MAX_AUTHORITIES)?.map(readAuthority);
  if (globs === undefined || signers === undefined || authorities === undefined) return undefined;
  const known = signers.filter((one) => one !== undefined);
  const twice = known.find((one, i) => known.findIndex((other) => other.name === one.name) < i);
  if (twice !== undefined)
    reject(authorities, `expected different names, found ${quote(twice.name)} twice; rename one`);
  return { images: globs.filter((glob) => glob !== undefined), authorities: known };
}

function readImage(image: Field): Glob | undefined {
  const fields = readMapping(image, FIELD_TABLES['spec.images[]']);
  const field = fields && required(image, fields, 'glob', 'add a glob');
  const text = field && readText(field);
  if (field === undefined || text === undefined) return undefined;
  const glob = parseGlob(text);
  if (glob !== undefined) return glob;
  if (text.includes('@')) {
    return reject(
      field,
      `expected a name without a digest, found ${quote(text)}; end the glob before the @, digests are not matched`,
    );
  }
  const allowed = `at most ${MAX_GLOB_LENGTH} of letters, digits and - _ : / . *`;
  return reject(field, `expected ${allowed}, found ${quote(text)}; patterns are globs, not regular expressions`);
}

function readAuthority(authority: Field, i: number): AuthorityDocument | undefined {
  const fields = readMapping(authority, FIELD_TABLES['spec.authorities[]']);
  if (fields === undefined) return undefined;
  const nameField = fields.get('name');
  // The default of policy-controller (`SetDefaults`).
  const name = nameField === undefined ? `authority-${i}` : readText(nameField);
  if (nameField !== undefined && name !== undefined && !AUTHORITY_NAME.test(name)) {
    reject(nameField, `expected at most 63 letters, digits and . _ -, found ${quote(name)}; rename it`);
  }
  // An authority of another kind has its problem already.
  const other = hasField(authority, 'keyless') || hasField(authority, 'static');
  const keyField = other ? fields.get('key') : required(authority, fields, 'key', 'add a public key');
  const key = keyField && readKey(keyField);
  return name === undefined || key === undefined ? undefined : { name, key };
}

function readKey(key: Field): KeyDocument | undefined {
  const fields = readMapping(key, FIELD_TABLES['spec.authorities[].key']);
  if (fields === undefined) return undefined;
  const data = fields.get('data');
  const secretRef = fields.get('secretRef');
  const hashAlgorithm = readHashAlgorithm(fields.get('hashAlgorithm'));
  if ((data === undefined) === (secretRef === undefined)) {
    const found = data === undefined ? 'neither' : 'both';
    return reject(key, `expected one of data and secretRef, found ${found}; write the public key into data`);
  }
  if (data !== undefined) {
    const pem = readText(data);
    return pem === undefined ? undefined : { source: { kind: 'data', pem }, field: data, hashAlgorithm };
  }
  const field = secretRef && readSecretRef(secretRef);
  const name = field && readObjectName(field);
  return field === undefined || name === undefined
    ? undefined
    : { source: { kind: 'secret', name }, field, hashAlgorithm };
}

function readHashAlgorithm(field: Field | undefined): HashAlgorithm | undefined {
  const text = field && readText(field);
  const known = HASH_ALGORITHMS.find((one) => one === text);
  if (field !== undefined && text !== undefined && known === undefined) {
    reject(field, `expected ${HASH_ALGORITHMS.join(', ')}, found ${quote(text)}: not supported yet; sign with sha256`);
  }
  return known;
}

function readSecretRef(secretRef: Field): Field | undefined {
  const fields = readMapping(secretRef, FIELD_TABLES['spec.authorities[].key.secretRef']);
  const namespace = fields?.get('namespace');
  const text = namespace && readText(namespace);
  if (namespace !== undefined && text !== undefined && text !== SECRET_NAMESPACE) {
    reject(namespace, `expected ${SECRET_NAMESPACE}, found ${quote(text)}; remove it, the key is a file in secrets/`);
  }
  return fields && required(secretRef, fields, 'name', 'name the file in secrets/ without .pub');
}

function readObjectName(field: Field): string | undefined {
  const text = readText(field);
  if (text === undefined || OBJECT_NAME.test(text)) return text;
  return reject(field, `expected lower-case letters, digits, - and ., found ${quote(text)}; rename it`);
}
