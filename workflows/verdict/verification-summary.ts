import { isFleetName } from '../fleet.ts';
import { type Digest, digestHex, parseDigest } from '../format/digest.ts';
import { isRecord } from '../format/record.ts';
import { parseRfc3339 } from '../format/rfc3339.ts';
import { isOutcome, isReasonCode, type Reason } from './reason.ts';
import { MAX_COVERED, type Signer, type Verdict } from './verdict.ts';

/** Payload type of a verdict's envelope (in-toto attestation spec v1, "Envelope"). */
export const STATEMENT_PAYLOAD_TYPE = 'application/vnd.in-toto+json';

const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';
const PREDICATE_TYPE = 'https://slsa.dev/verification_summary/v1';
const VERIFIER_ID = 'https://portcullis.dev/verifier/v1';

/**
 * A verdict as a SLSA Verification Summary (slsa.dev/spec/v1.1/verification_summary): the subject is the digest,
 * `resourceUri` the name, PASSED an allow. What that predicate has no field for stands under `portcullis`.
 */
export function toStatement(verdict: Verdict): object {
  return {
    _type: STATEMENT_TYPE,
    subject: [{ name: verdict.name, digest: { sha256: digestHex(verdict.digest) } }],
    predicateType: PREDICATE_TYPE,
    predicate: {
      verifier: { id: VERIFIER_ID },
      timeVerified: verdict.decidedAt,
      resourceUri: verdict.name,
      policy: { uri: 'portcullis:policy', digest: { sha256: verdict.policyRevision } },
      inputAttestations: verdict.signers.map((signer) => ({
        uri: 'portcullis:evidence',
        digest: { sha256: digestHex(signer.evidence) },
      })),
      verificationResult: verdict.outcome === 'allow' ? 'PASSED' : 'FAILED',
      verifiedLevels: [],
      portcullis: {
        decisionId: verdict.decisionId,
        fleet: verdict.fleet,
        outcome: verdict.outcome,
        reasons: verdict.reasons,
        signers: verdict.signers,
        trustRevision: verdict.trustRevision,
        expiresAt: verdict.expiresAt,
        ...(verdict.offlineUntil === undefined ? {} : { offlineUntil: verdict.offlineUntil }),
        ...(verdict.workerSilenceMs === undefined ? {} : { workerSilenceMs: verdict.workerSilenceMs }),
        ...(verdict.covers === undefined ? {} : { covers: verdict.covers }),
      },
    },
  };
}

/**
 * Reads a verdict out of a statement whose signature has been checked. Answers `undefined` for anything that
 * {@link toStatement} does not write, also where two places that say the same thing disagree.
 */
export function fromStatement(statement: unknown): Verdict | undefined {
  if (!isRecord(statement) || statement['_type'] !== STATEMENT_TYPE) return undefined;
  if (statement['predicateType'] !== PREDICATE_TYPE) return undefined;
  const predicate = statement['predicate'];
  const subject = onlySubject(statement['subject']);
  if (!isRecord(predicate) || subject === undefined) return undefined;
  const own = predicate['portcullis'];
  const policyRevision = sha256In(predicate['policy']);
  const { timeVerified, resourceUri, verificationResult } = predicate as Readonly<Record<string, unknown>> & {
    timeVerified?: unknown;
    resourceUri?: unknown;
    verificationResult?: unknown;
  };
  if (!isRecord(own) || policyRevision === undefined || resourceUri !== subject.name) return undefined;
  const { decisionId, fleet, expiresAt, offlineUntil, trustRevision } = own as { [K in keyof Verdict]?: unknown };
  const { outcome } = own as { outcome?: unknown };
  const reasons = parseReasons(own['reasons']);
  const signers = parseSigners(own['signers']);
  if (!isOutcome(outcome) || reasons === undefined || signers === undefined) return undefined;
  if ((verificationResult === 'PASSED') !== (outcome === 'allow')) return undefined;
  if (typeof decisionId !== 'string' || !isTime(timeVerified) || !isTime(expiresAt)) return undefined;
  if (typeof trustRevision !== 'string' || !/^(?:[0-9a-f]{64})?$/.test(trustRevision)) return undefined;
  if (offlineUntil !== undefined && (!isTime(offlineUntil) || outcome !== 'allow')) return undefined;
  if (fleet !== undefined && !isFleetName(fleet)) return undefined;
  const covers = parseCovers(own['covers']);
  if (covers === 'malformed') return undefined;
  const decided = { decisionId, ...subject, fleet, outcome, reasons, policyRevision, trustRevision, signers };
  const { workerSilenceMs } = own as { [K in keyof Verdict]?: unknown };
  if (workerSilenceMs !== undefined && (offlineUntil === undefined || !isDuration(workerSilenceMs))) return undefined;
  const offline = {
    ...(offlineUntil === undefined ? {} : { offlineUntil }),
    ...(workerSilenceMs === undefined ? {} : { workerSilenceMs }),
  };
  return { ...decided, decidedAt: timeVerified, expiresAt, ...offline, ...(covers === undefined ? {} : { covers }) };
}

function parseCovers(value: unknown): readonly Digest[] | 'malformed' | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || value.length > MAX_COVERED) return 'malformed';
  const covers = value.map((one) => (typeof one === 'string' ? parseDigest(one) : undefined));
  const known = covers.filter((one) => one !== undefined);
  return known.length === covers.length ? known : 'malformed';
}

function onlySubject(subjects: unknown): Pick<Verdict, 'name' | 'digest'> | undefined {
  if (!Array.isArray(subjects) || subjects.length !== 1) return undefined;
  const subject: unknown = subjects[0];
  const hex = sha256In(subject);
  const digest = hex === undefined ? undefined : parseDigest(`sha256:${hex}`);
  if (!isRecord(subject) || typeof subject['name'] !== 'string' || digest === undefined) return undefined;
  return { name: subject['name'], digest };
}

/** The sha256 of a resource descriptor. */
function sha256In(resource: unknown): string | undefined {
  if (!isRecord(resource) || !isRecord(resource['digest'])) return undefined;
  const hex = resource['digest']['sha256'];
  return typeof hex === 'string' && /^[0-9a-f]{64}$/.test(hex) ? hex : undefined;
}

function parseReasons(value: unknown): Verdict['reasons'] | undefined {
  if (!Array.isArray(value)) return undefined;
  const reasons = value.map(parseReason).filter((reason) => reason !== undefined);
  const [first, ...rest] = reasons;
  return first === undefined || reasons.length !== value.length ? undefined : [first, ...rest];
}

function parseReason(value: unknown): Reason | undefined {
  if (!isRecord(value)) return undefined;
  const { code, sentence } = value as { code?: unknown; sentence?: unknown };
  if (typeof code !== 'string' || !isReasonCode(code) || typeof sentence !== 'string') return undefined;
  return { code, sentence };
}

function parseSigners(value: unknown): readonly Signer[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const signers = value.map(parseSigner).filter((signer) => signer !== undefined);
  return signers.length === value.length ? signers : undefined;
}

function parseSigner(value: unknown): Signer | undefined {
  if (!isRecord(value)) return undefined;
  const { authority, identity, predicateType } = value as { [K in keyof Signer]?: unknown };
  const evidence = typeof value['evidence'] === 'string' ? parseDigest(value['evidence']) : undefined;
  if (typeof authority !== 'string' || typeof identity !== 'string' || evidence === undefined) return undefined;
  if (predicateType === undefined) return { authority, identity, evidence };
  return typeof predicateType === 'string' ? { authority, identity, evidence, predicateType } : undefined;
}

/** A time in ms that can be waited for. */
function isDuration(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isTime(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value) &&
    parseRfc3339(value) !== undefined
  );
}
