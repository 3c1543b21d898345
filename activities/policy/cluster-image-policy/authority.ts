import { MAX_ATTESTATION_RULES, MAX_SOURCES } from '../../limits.ts';
import { type Field, hasField, readList, readMapping, readText, readWord, reject, required } from '../../yaml/field.ts';
import { FIELD_TABLES } from '../../yaml/field-tables.ts';
import { quote } from '../../yaml/problem.ts';
import type { AttestationRule, ManagedSigner } from '../policy-set.ts';
import { readAttestation } from './attestation-rule.ts';
import { type KeyDocument, readKeyRule } from './key-rule.ts';
import { type KeylessDocument, readKeylessRule } from './keyless-rule.ts';
import { readTimeRule, type TimeDocument } from './log-rule.ts';
import { readSource, type SourceDocument } from './source-rule.ts';
import { readStaticRule, type StaticDocument } from './static-rule.ts';

/** An authority as it stands in its file: what it names in other files is not read yet. */
export type AuthorityDocument =
  | { readonly name: string; readonly signer: StaticDocument }
  | {
      readonly name: string;
      readonly signer: KeyDocument | ManagedSigner | KeylessDocument;
      readonly time: TimeDocument;
      readonly attestations: readonly AttestationRule[];
      readonly sources: readonly SourceDocument[];
      readonly formats: readonly Format[];
    };

type Format = 'bundle' | 'legacy';
const FORMATS = ['bundle', 'legacy'] as const satisfies readonly Format[];
const SIGNERS = ['key', 'keyless', 'static'] as const;
const AUTHORITY_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,61}[A-Za-z0-9])?$/;

/** What an authority says about evidence, which a static one does not look at. */
const ABOUT_EVIDENCE = ['attestations', 'source', 'ctlog', 'rfc3161timestamp', 'signatureFormat'] as const;

/** Reads the authority at a place of its list. */
export function readAuthority(authority: Field, i: number): AuthorityDocument | undefined {
  const fields = readMapping(authority, FIELD_TABLES['spec.authorities[]']);
  if (fields === undefined) return undefined;
  const name = readAuthorityName(fields.get('name'), i);
  const signer = readSigner(authority, fields);
  if (signer?.kind === 'static') {
    for (const unused of ABOUT_EVIDENCE.flatMap((one) => fields.get(one) ?? [])) {
      reject(unused, 'expected no such field beside static, which looks at no evidence; remove one of them');
    }
    return name === undefined ? undefined : { name, signer };
  }
  const formatField = fields.get('signatureFormat');
  const format = formatField && readWord(formatField, FORMATS, 'remove it, both are found');
  const attestationList = fields.get('attestations');
  const attestations = attestationList && readList(attestationList, MAX_ATTESTATION_RULES)?.map(readAttestation);
  const sourceList = fields.get('source');
  const sources = sourceList && readList(sourceList, MAX_SOURCES)?.map(readSource);
  if (name === undefined || signer === undefined) return undefined;
  return {
    name,
    signer,
    time: readTimeRule(fields, signer, format),
    attestations: attestations?.filter((one) => one !== undefined) ?? [],
    sources: sources?.filter((one) => one !== undefined) ?? [],
    formats: format === undefined ? FORMATS : [format],
  };
}

function readAuthorityName(field: Field | undefined, i: number): string | undefined {
  // The default of policy-controller (`SetDefaults`).
  if (field === undefined) return `authority-${i}`;
  const name = readText(field);
  if (name === undefined || AUTHORITY_NAME.test(name)) return name;
  return reject(field, `expected at most 63 letters, digits, spaces and . _ -, found ${quote(name)}; rename it`);
}

function readSigner(authority: Field, fields: ReadonlyMap<string, Field>) {
  const named = SIGNERS.filter((one) => hasField(authority, one));
  if (named.length > 1) {
    return reject(
      authority,
      `expected one of ${SIGNERS.join(', ')}, found ${named.join(' and ')}; split the authority`,
    );
  }
  const [kind = 'key'] = named;
  const field = required(authority, fields, kind, 'add one of key, keyless and static');
  if (field === undefined) return undefined;
  switch (kind) {
    case 'key':
      return readKeyRule(field);
    case 'keyless':
      return readKeylessRule(field);
    case 'static':
      return readStaticRule(field);
  }
}
