import { type Field, readMapping, readObjectName, readText, readWord, reject, required } from '../../yaml/field.ts';
import type { TrustRootDocument, TrustRootSource } from '../trust-root-document.ts';
import { readTrustedRootJson } from '../trusted-root/trusted-root-json.ts';
import { readSigstoreKeys } from './sigstore-keys.ts';
import { TRUST_ROOT_TABLES } from './trust-root-tables.ts';
import { readRemote, readRepository } from './tuf-fields.ts';

/**
 * Reads one document as a sigstore TrustRoot (policy.sigstore.dev/v1alpha1), as policy-controller@0.15
 * `trustroot_validation.go` does and stricter: keys, certificates and log ids are looked at now and not at the first
 * pull. Reports everything that is wrong with it, not only the first problem; a document with problems answers
 * `undefined` or a trust root that is not to be used.
 */
export function readTrustRoot(document: Field): TrustRootDocument | undefined {
  const fields = readMapping(document, TRUST_ROOT_TABLES['']);
  if (fields === undefined) return undefined;
  const apiVersion = required(document, fields, 'apiVersion', 'write policy.sigstore.dev/v1alpha1');
  const kind = required(document, fields, 'kind', 'write TrustRoot');
  const version = apiVersion && readWord(apiVersion, ['policy.sigstore.dev/v1alpha1'], 'a TrustRoot has no other');
  const kindText = kind && readWord(kind, ['TrustRoot'], 'keep other kinds elsewhere');
  const metadata = required(document, fields, 'metadata', 'add metadata.name');
  const metadataFields = metadata && readMapping(metadata, TRUST_ROOT_TABLES.metadata);
  const nameField = metadata && metadataFields && required(metadata, metadataFields, 'name', 'name the trust root');
  const name = nameField && readObjectName(nameField);
  const spec = required(document, fields, 'spec', 'add spec.sigstoreKeys, spec.remote or spec.repository');
  const source = spec && readSource(spec);
  const usable = version !== undefined && kindText !== undefined && name !== undefined && source !== undefined;
  return usable ? { name, source } : undefined;
}

type SourceReader = (field: Field) => TrustRootSource | undefined;

const SOURCES: Readonly<Record<string, SourceReader>> = {
  remote: readRemote,
  repository: readRepository,
  sigstoreKeys: readSigstoreKeys,
  trustedRootJSON: readInline,
};

function readSource(spec: Field): TrustRootSource | undefined {
  const fields = readMapping(spec, TRUST_ROOT_TABLES.spec);
  if (fields === undefined) return undefined;
  const kinds = Object.keys(SOURCES).join(', ');
  const [first, second] = [...fields];
  if (first === undefined) return reject(spec, `expected one of ${kinds}, found none; add one`);
  if (second !== undefined) {
    return reject(second[1], `expected one of ${kinds}, found ${first[0]} and ${second[0]}; make two trust roots`);
  }
  return SOURCES[first[0]]?.(first[1]);
}

function readInline(field: Field): TrustRootSource | undefined {
  const text = readText(field);
  if (text === undefined) return undefined;
  const read = readTrustedRootJson('', Buffer.from(text), 'refuse');
  return read.ok ? read.document.source : reject(field, read.problem);
}
