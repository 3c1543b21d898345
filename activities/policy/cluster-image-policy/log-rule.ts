import { type Field, readMapping, readUrl, reject } from '../../yaml/field.ts';
import { FIELD_TABLES } from '../../yaml/field-tables.ts';
import { type Material, readMaterial } from '../material.ts';
import type { ManagedSigner } from '../policy-set.ts';
import type { KeyDocument } from './key-rule.ts';
import type { KeylessDocument } from './keyless-rule.ts';
import { DEFAULT_TRUST_ROOT, readTrustRootReference, type TrustRootReference } from './trust-root-reference.ts';

/** What an authority says about transparency logs and signed timestamps. */
export interface TimeDocument {
  /** Which log counts, whether one is asked for or not. */
  readonly log: LogDocument;
  readonly isLogDemanded: boolean;
  /** Whose timestamp authorities count; `undefined`: no timestamp is asked for. */
  readonly timestamps: TrustRootReference | undefined;
}

export interface LogDocument {
  readonly trustRoot: TrustRootReference;
  readonly url: string | undefined;
  readonly publicKey: Material | undefined;
}

/** `spec.authorities[].ctlog`; `isEmpty` is `ctlog: {}`, which switches the log off. */
interface LogFields extends LogDocument {
  readonly field: Field;
  readonly isEmpty: boolean;
}

type Format = 'bundle' | 'legacy';

/**
 * Tells which log and which timestamps an authority asks for, as policy-controller does (`checkOptsFromAuthority` in
 * `pkg/webhook/validator.go`). A certificate is only good for the minutes in which it was valid, so that a keyless
 * authority that would ask for neither has to have the log of its trust root, or is refused.
 */
export function readTimeRule(
  fields: ReadonlyMap<string, Field>,
  signer: KeyDocument | ManagedSigner | KeylessDocument,
  format: Format | undefined,
): TimeDocument {
  const keyless = signer.kind === 'keyless' ? signer : undefined;
  const ctlog = readLog(fields.get('ctlog'));
  const timestampField = fields.get('rfc3161timestamp');
  const timestamps = timestampField && readTimestamps(timestampField);
  if (keyless !== undefined && format === 'bundle') checkOneTrustRoot(keyless, ctlog, timestamps, timestampField);

  const replacesLog =
    timestamps !== undefined &&
    (keyless !== undefined && format === 'bundle' ? ctlog !== undefined : timestamps.field !== undefined);
  const none = { url: undefined, publicKey: undefined };
  if (keyless === undefined) {
    const isLogDemanded = ctlog !== undefined && !ctlog.isEmpty && !replacesLog;
    return { log: ctlog ?? { trustRoot: DEFAULT_TRUST_ROOT, ...none }, isLogDemanded, timestamps };
  }
  if (ctlog?.isEmpty === true && !replacesLog && format !== 'bundle') {
    const found = 'found an empty one, which switches the log off, and no rfc3161timestamp with a trustRootRef';
    reject(ctlog.field, `expected url or trustRootRef, ${found}; remove ctlog, a certificate needs a verified time`);
  }
  const own = ctlog === undefined || ctlog.isEmpty;
  return { log: own ? { trustRoot: keyless.trustRoot, ...none } : ctlog, isLogDemanded: !replacesLog, timestamps };
}

function readLog(field: Field | undefined): LogFields | undefined {
  const fields = field && readMapping(field, FIELD_TABLES['spec.authorities[].ctlog']);
  if (field === undefined || fields === undefined) return undefined;
  const urlField = fields.get('url');
  const keyField = fields.get('public-key');
  const reference = fields.get('trustRootRef');
  if (keyField !== undefined && reference !== undefined) {
    reject(field, 'expected one of public-key and trustRootRef, found both; remove one');
  }
  return {
    field,
    trustRoot: readTrustRootReference(reference),
    url: urlField && readUrl(urlField),
    publicKey: keyField && readLogKey(keyField),
    isEmpty: fields.size === 0,
  };
}

function readLogKey(field: Field): Material | undefined {
  const fields = readMapping(field, FIELD_TABLES['spec.authorities[].ctlog.public-key']);
  const table = FIELD_TABLES['spec.authorities[].ctlog.public-key.secretRef'];
  return fields && readMaterial(field, fields, table, 'pub', 'public key');
}

function readTimestamps(field: Field): TrustRootReference | undefined {
  const fields = readMapping(field, FIELD_TABLES['spec.authorities[].rfc3161timestamp']);
  return fields && readTrustRootReference(fields.get('trustRootRef'));
}

/** policy-controller refuses every image of such a policy; here it does not load. */
function checkOneTrustRoot(
  { trustRoot }: KeylessDocument,
  ctlog: LogFields | undefined,
  timestamps: TrustRootReference | undefined,
  timestampField: Field | undefined,
): void {
  const fix = `expected the trust root ${trustRoot.name} of keyless here as well (signatureFormat is bundle)`;
  if (ctlog !== undefined && ctlog.publicKey === undefined && ctlog.trustRoot.name !== trustRoot.name) {
    reject(ctlog.trustRoot.field ?? ctlog.field, `${fix}, found ${ctlog.trustRoot.name}; correct trustRootRef`);
  }
  if (timestamps !== undefined && timestampField !== undefined && timestamps.name !== trustRoot.name) {
    reject(timestamps.field ?? timestampField, `${fix}, found ${timestamps.name}; correct trustRootRef`);
  }
}
