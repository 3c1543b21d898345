import {
  type CertificateAuthority,
  HashAlgorithm,
  PublicKeyDetails,
  type TimeRange,
  type TransparencyLogInstance,
} from '@sigstore/protobuf-specs';
import { parseRfc3339 } from '../../../workflows/format/rfc3339.ts';
import { MAX_TRUST_ENTRIES } from '../../limits.ts';
import { parsePublicKey } from '../../sigstore/key/key.ts';
import { decodeBase64 } from '../../text/base64.ts';
import { type Field, readList, readMapping, readText, readUrl, readWord, reject, required } from '../../yaml/field.ts';
import type { LogOrigins, TrustRootSource } from '../trust-root-document.ts';
import { readAuthority, uselessness } from '../trusted-root/trust-authority.ts';
import { readLog } from '../trusted-root/trust-log.ts';
import { readBase64 } from './base64-field.ts';
import { TRUST_ROOT_TABLES } from './trust-root-tables.ts';

/** The start of a window that a document does not have, as policy-controller's `ConvertCertificateAuthority` sets it. */
const EPOCH = new Date(0);

/** Reads `spec.sigstoreKeys`. Everything in it is checked where it stands. */
export function readSigstoreKeys(keys: Field): TrustRootSource | undefined {
  const fields = readMapping(keys, TRUST_ROOT_TABLES['spec.sigstoreKeys']);
  if (fields === undefined) return undefined;
  const certificateAuthorities = readEach(fields.get('certificateAuthorities'), (one) =>
    readAuthorityField(one, 'certificates'),
  );
  const timestampAuthorities = readEach(fields.get('timestampAuthorities'), (one) =>
    readAuthorityField(one, 'timestamps'),
  );
  const ctlogs = readEach(fields.get('ctLogs'), (one) => readLogField(one, 'ctlog'));
  const tlogs = readEach(fields.get('tLogs'), (one) => readLogField(one, 'tlog'));
  // policy-controller `SigstoreKeys.Validate`.
  if (!fields.has('certificateAuthorities') && !fields.has('timestampAuthorities')) {
    return reject(keys, 'expected certificateAuthorities or timestampAuthorities, found neither; add one');
  }
  if (!certificateAuthorities || !timestampAuthorities || !ctlogs || !tlogs) return undefined;
  const origins: LogOrigins = new Map(
    tlogs.flatMap(({ origin }, i) => (origin === undefined ? [] : [[i, origin] as const])),
  );
  const root = {
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    certificateAuthorities: [...certificateAuthorities],
    timestampAuthorities: [...timestampAuthorities],
    ctlogs: ctlogs.map(({ log }) => log),
    tlogs: tlogs.map(({ log }) => log),
  };
  return { kind: 'keys', root, origins };
}

/** All items, or `undefined` when one has a problem; no list is an empty one. */
function readEach<T>(field: Field | undefined, read: (item: Field) => T | undefined): readonly T[] | undefined {
  if (field === undefined) return [];
  const items = readList(field, MAX_TRUST_ENTRIES)?.map(read);
  const known = items?.filter((item) => item !== undefined);
  return known?.length === items?.length ? known : undefined;
}

function readAuthorityField(field: Field, kind: 'certificates' | 'timestamps'): CertificateAuthority | undefined {
  const fields = readMapping(field, TRUST_ROOT_TABLES.authority);
  if (fields === undefined) return undefined;
  const subjectField = required(field, fields, 'subject', 'add subject.organization and subject.commonName');
  const subject = subjectField && readSubject(subjectField);
  const uriField = required(field, fields, 'uri', 'add the URL of the authority');
  const uri = uriField && readUrl(uriField);
  const chainField = required(field, fields, 'certChain', 'add the certificates as base64 of PEM');
  const certificates = chainField && readChain(chainField);
  const validFor = readValidFor(fields.get('validFor'));
  if (subject === undefined || uri === undefined || certificates === undefined || validFor === undefined) {
    return undefined;
  }
  const authority = { subject, uri, certChain: { certificates: [...certificates] }, validFor, operator: '' };
  const checked = readAuthority(authority, kind);
  const problem = 'problem' in checked ? checked.problem : uselessness(checked.authority.chain, kind);
  return problem === undefined ? authority : reject(chainField ?? field, problem);
}

function readSubject(field: Field): { readonly organization: string; readonly commonName: string } | undefined {
  const fields = readMapping(field, TRUST_ROOT_TABLES.subject);
  if (fields === undefined) return undefined;
  const [organization, commonName] = (['organization', 'commonName'] as const).map((name) => {
    const text = required(field, fields, name, 'add it as the certificate has it');
    return text && readText(text);
  });
  return organization === undefined || commonName === undefined ? undefined : { organization, commonName };
}

const PEM_BLOCK = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g;

/** Base64 of PEM blocks, which may have text between them; what looks like a part of another block is refused. */
function readChain(field: Field): readonly { readonly rawBytes: Buffer }[] | undefined {
  const pem = readBase64(field)?.toString('latin1');
  if (pem === undefined) return undefined;
  const blocks = [...pem.matchAll(PEM_BLOCK)].map(([, body = '']) => decodeBase64(body.replaceAll(/\s/g, '')));
  const begun = pem.split('-----BEGIN ').length - 1;
  if (blocks.length === 0 || blocks.length !== begun || pem.replaceAll(PEM_BLOCK, '').includes('---')) {
    return reject(field, `expected PEM blocks "CERTIFICATE", found ${blocks.length} of ${begun}; replace the others`);
  }
  const known = blocks.filter((block) => block !== undefined);
  if (known.length === blocks.length) return known.map((rawBytes) => ({ rawBytes }));
  const broken = blocks.indexOf(undefined) + 1;
  return reject(field, `expected canonical base64 in each PEM block, found other text in block ${broken}; replace it`);
}

interface LogField {
  readonly log: TransparencyLogInstance;
  readonly origin: string | undefined;
}

function readLogField(field: Field, kind: 'tlog' | 'ctlog'): LogField | undefined {
  const fields = readMapping(field, kind === 'tlog' ? TRUST_ROOT_TABLES.tLog : TRUST_ROOT_TABLES.ctLog);
  if (fields === undefined) return undefined;
  const urlField = required(field, fields, 'baseURL', 'add the URL of the log');
  const baseUrl = urlField && readUrl(urlField);
  const hashField = required(field, fields, 'hashAlgorithm', 'write sha256');
  const hash = hashField && readWord(hashField, ['sha256', 'sha-256'], 'logs hash their trees with SHA-256');
  const keyField = required(field, fields, 'publicKey', 'add the key as base64 of PEM');
  const publicKey = keyField && readKey(keyField);
  const validFor = readValidFor(fields.get('validFor'));
  const originField = fields.get('origin');
  const origin = originField && readOrigin(originField);
  if (baseUrl === undefined || hash === undefined || publicKey === undefined || validFor === undefined)
    return undefined;
  if (originField !== undefined && origin === undefined) return undefined;
  const log: TransparencyLogInstance = {
    baseUrl,
    hashAlgorithm: HashAlgorithm.SHA2_256,
    publicKey: { ...publicKey, validFor },
    logId: undefined,
    checkpointKeyId: undefined,
    operator: '',
  };
  const checked = readLog(log, kind, origin);
  return 'problem' in checked ? reject(keyField ?? field, checked.problem) : { log, origin };
}

/** One key and nothing around it, as {@link parsePublicKey} reads it; passed on as SPKI whatever it was. */
function readKey(field: Field): { readonly rawBytes: Buffer; readonly keyDetails: PublicKeyDetails } | undefined {
  const pem = readBase64(field)?.toString('latin1');
  if (pem === undefined) return undefined;
  if (!pem.includes('-----BEGIN ')) {
    return reject(field, 'expected one PEM block "PUBLIC KEY", found other text; replace it');
  }
  const key = parsePublicKey(pem);
  if (!key.ok) return reject(field, `the key is not usable: ${key.problem}`);
  const rawBytes = key.key.publicKey.export({ type: 'spki', format: 'der' });
  return { rawBytes, keyDetails: PublicKeyDetails.PUBLIC_KEY_DETAILS_UNSPECIFIED };
}

/** A name as a signed note may have it (C2SP signed-note): no white space, no plus. */
function readOrigin(field: Field): string | undefined {
  const text = readText(field);
  if (text === undefined || /^[^\s+]{1,255}$/.test(text)) return text;
  return reject(field, 'expected the name that the log signs checkpoints by, found white space or a plus; correct it');
}

function readValidFor(field: Field | undefined): TimeRange | undefined {
  if (field === undefined) return { start: EPOCH, end: undefined };
  const fields = readMapping(field, TRUST_ROOT_TABLES.validFor);
  const startField = fields && required(field, fields, 'start', 'add the time from which signatures count');
  const endField = fields?.get('end');
  const start = startField && readTime(startField);
  const end = endField && readTime(endField);
  if (start === undefined || (endField !== undefined && end === undefined)) return undefined;
  return { start, end };
}

function readTime(field: Field): Date | undefined {
  const text = readText(field);
  if (text === undefined) return undefined;
  const time = parseRfc3339(text);
  if (time !== undefined) return new Date(time);
  return reject(field, 'expected a time like "2026-01-31T12:00:00Z", found other text; write it in this form');
}
