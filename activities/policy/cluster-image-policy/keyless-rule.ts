import { MAX_IDENTITIES } from '../../limits.ts';
import type { IdentityRule } from '../../sigstore/requirement/requirement.ts';
import type { TextPattern } from '../../sigstore/requirement/text-pattern.ts';
import { type Field, readBoolean, readList, readMapping, readUrl, reject, required } from '../../yaml/field.ts';
import { FIELD_TABLES } from '../../yaml/field-tables.ts';
import { type Material, readMaterial } from '../material.ts';
import { readExact, readPattern } from '../pattern.ts';
import { readTrustRootReference, type TrustRootReference } from './trust-root-reference.ts';

/** `spec.authorities[].keyless`: its certificates are not parsed, and not read yet where they are in a file. */
export interface KeylessDocument {
  readonly kind: 'keyless';
  readonly identities: readonly IdentityRule[];
  readonly trustRoot: TrustRootReference;
  readonly certificateAuthority: Material | undefined;
  readonly insecureIgnoreSct: boolean;
}

/**
 * Reads who may have signed, by the certificate. policy-controller lets an authority without identities, or with half
 * of one, accept everybody and warns; here both halves have to be there.
 */
export function readKeylessRule(field: Field): KeylessDocument | undefined {
  const fields = readMapping(field, FIELD_TABLES['spec.authorities[].keyless']);
  if (fields === undefined) return undefined;
  const trustRoot = readTrustRootReference(fields.get('trustRootRef'));
  const url = fields.get('url');
  if (url !== undefined) readUrl(url);
  const ca = fields.get('ca-cert');
  if (url !== undefined && ca !== undefined) reject(field, 'expected one of url and ca-cert, found both; remove url');
  const ignore = fields.get('insecureIgnoreSCT');
  const insecureIgnoreSct = (ignore && readBoolean(ignore)) ?? false;
  const list = required(field, fields, 'identities', 'say who may sign, by issuer and subject');
  const identities = list && readList(list, MAX_IDENTITIES)?.map(readIdentity);
  const certificateAuthority = ca && readCertificateAuthority(ca);
  if (identities === undefined || (ca !== undefined && certificateAuthority === undefined)) return undefined;
  const known = identities.filter((one) => one !== undefined);
  return { kind: 'keyless', identities: known, trustRoot, certificateAuthority, insecureIgnoreSct };
}

function readCertificateAuthority(field: Field): Material | undefined {
  const fields = readMapping(field, FIELD_TABLES['spec.authorities[].keyless.ca-cert']);
  const table = FIELD_TABLES['spec.authorities[].keyless.ca-cert.secretRef'];
  return fields && readMaterial(field, fields, table, 'pem', 'certificates');
}

function readIdentity(field: Field): IdentityRule | undefined {
  const fields = readMapping(field, FIELD_TABLES['spec.authorities[].keyless.identities[]']);
  if (fields === undefined) return undefined;
  const issuer = readHalf(field, fields, 'issuer', 'issuerRegExp');
  const subject = readHalf(field, fields, 'subject', 'subjectRegExp');
  return issuer === undefined || subject === undefined ? undefined : { issuer, subject };
}

function readHalf(
  identity: Field,
  fields: ReadonlyMap<string, Field>,
  exactName: keyof typeof EMPTY,
  patternName: string,
): TextPattern | undefined {
  const exact = fields.get(exactName);
  const pattern = fields.get(patternName);
  if ((exact === undefined) === (pattern === undefined)) {
    const found = exact === undefined ? 'neither' : 'both';
    const fix = exact === undefined ? 'add one; without it anyone could sign' : 'remove one';
    return reject(identity, `expected one of ${exactName} and ${patternName}, found ${found}; ${fix}`);
  }
  const fix = EMPTY[exactName];
  return pattern === undefined ? exact && readExact(exact, fix) : readPattern(pattern, fix);
}

/** What an empty half may have been meant to say. policy-controller takes it for a missing one. */
const EMPTY = {
  issuer:
    'write who issued the identity, issuerRegExp: "^$" for certificates without an issuer, or issuerRegExp: ".*" for any',
  subject: 'write who may sign, or subjectRegExp: ".*" for anyone that the issuer knows',
} as const;
