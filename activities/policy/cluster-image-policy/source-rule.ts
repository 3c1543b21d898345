import { parseName, repositoryOf } from '../../../workflows/format/name.ts';
import { MAX_PULL_SECRETS } from '../../limits.ts';
import { type Field, readList, readMapping, readObjectName, readText, reject, required } from '../../yaml/field.ts';
import { FIELD_TABLES } from '../../yaml/field-tables.ts';
import { quote } from '../../yaml/problem.ts';
import { secretPath } from '../directory.ts';

/** `spec.authorities[].source[]`: its pull secrets are not read yet. */
export interface SourceDocument {
  /** `registry/repository`; `undefined` is the image's own. */
  readonly repository: string | undefined;
  readonly tagPrefix: string | undefined;
  readonly pullSecrets: readonly PullSecretReference[];
}

export interface PullSecretReference {
  readonly name: string;
  readonly path: string;
  readonly field: Field;
}

/** With `sha256-`, 64 digits and a suffix behind it still a tag, which has at most 128 characters (distribution-spec v1.1). */
const TAG_PREFIX = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,49}$/;

/** Reads one place where evidence may live. */
export function readSource(field: Field): SourceDocument | undefined {
  const fields = readMapping(field, FIELD_TABLES['spec.authorities[].source[]']);
  if (fields === undefined) return undefined;
  const oci = fields.get('oci');
  const prefix = fields.get('tagPrefix');
  const secrets = fields.get('signaturePullSecrets');
  return {
    repository: oci && readRepository(oci),
    tagPrefix: prefix && readTagPrefix(prefix),
    pullSecrets: ((secrets && readList(secrets, MAX_PULL_SECRETS)) ?? []).flatMap(readPullSecret),
  };
}

function readRepository(field: Field): string | undefined {
  const text = readText(field);
  const name = text === undefined ? undefined : parseName(text);
  if (name !== undefined && name.tag === undefined && name.digest === undefined) return repositoryOf(name);
  return text === undefined
    ? undefined
    : reject(field, `expected registry/repository without tag or digest, found ${quote(text)}; correct it`);
}

function readTagPrefix(field: Field): string | undefined {
  const text = readText(field);
  if (text === undefined || TAG_PREFIX.test(text)) return text;
  return reject(field, `expected at most 50 letters, digits and _ . -, found ${quote(text)}; shorten or correct it`);
}

function readPullSecret(field: Field): readonly PullSecretReference[] {
  const fields = readMapping(field, FIELD_TABLES['spec.authorities[].source[].signaturePullSecrets[]']);
  const nameField = fields && required(field, fields, 'name', 'name the file in secrets/ without .json');
  const name = nameField && readObjectName(nameField);
  if (nameField === undefined || name === undefined) return [];
  return [{ name, path: secretPath(name, 'json'), field: nameField }];
}
