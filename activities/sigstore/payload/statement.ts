import { isRecord } from '../../../workflows/format/record.ts';
import { MAX_STATEMENT_TOKENS, MAX_SUBJECTS } from '../../limits.ts';
import { quote } from '../../text/quote.ts';
import { type JsonResult, parseStrictJson } from '../../text/strict-json.ts';
import type { JudgeContext } from '../judge-context.ts';
import { failed, type Refusal, refuse, type Statement, type Step } from '../judgement.ts';
import type { Wanted } from '../requirement/requirement.ts';
import { withoutPredicate } from '../without-predicate.ts';

const PAYLOAD_TYPE = 'application/vnd.in-toto+json';
const STATEMENT_TYPES: ReadonlySet<unknown> = new Set([
  'https://in-toto.io/Statement/v0.1',
  'https://in-toto.io/Statement/v1',
]);

/** What `cosign sign` (cosign@3) writes. Every other predicate is an attestation. */
export const SIGNATURE_PREDICATE = 'https://sigstore.dev/cosign/sign/v1';

/** Digests of one subject (sigstore-go `internal/limits`). */
const MAX_DIGESTS = 32;

/**
 * Judges what an envelope states, after its signature held: an in-toto statement (attestation spec v1, v0.1 before it) of
 * the kind that is wanted, whose subjects name the expected digest. A statement names no repository, so there is none to
 * compare. Answers the statement of an attestation, and `undefined` for a signature. `annotations` of a subject and the
 * predicate's content are left to policies; a predicate that is `unread` is no more than looked over.
 */
export function judgeStatement(
  payloadType: string,
  payload: Uint8Array,
  wanted: WantedStatement,
  expected: string,
  predicate: JudgeContext['predicate'] = 'read',
): Step<Statement | undefined> {
  if (payloadType !== PAYLOAD_TYPE) {
    const sentence = `the envelope holds ${quote(payloadType)}, expected "${PAYLOAD_TYPE}"`;
    return failed(refuse('EVIDENCE_UNSUPPORTED', sentence));
  }
  const statement = readStatement(predicate === 'unread' ? withoutPredicate(payload) : payload);
  if (!statement.ok) return statement;
  const { predicateType, document } = statement.value;
  const refusal = checkWanted(predicateType, wanted) ?? checkSubjects(document['subject'], wanted, expected);
  if (refusal !== undefined) return failed(refusal);
  return { ok: true, value: predicateType === SIGNATURE_PREDICATE ? undefined : statement.value };
}

/** `any`: a statement of whatever type, as for files that are no images. */
export type WantedStatement = Wanted | { readonly kind: 'any' };

/** Reads a statement; nothing about it is judged. */
export function readStatement(payload: Uint8Array): Step<Statement> {
  const json = parseStrictJson(payload, MAX_STATEMENT_TOKENS);
  if (!json.ok) return failed(unread(json));
  const document = json.value;
  if (!isRecord(document) || typeof document['_type'] !== 'string')
    return failed(malformed('expected a _type, found none'));
  if (!STATEMENT_TYPES.has(document['_type'])) {
    const sentence = `the statement is of type ${quote(document['_type'])}, v0.1 and v1 are read`;
    return failed(refuse('EVIDENCE_UNSUPPORTED', sentence));
  }
  const predicateType = document['predicateType'];
  if (typeof predicateType !== 'string') return failed(malformed('expected a predicateType, found none'));
  return { ok: true, value: { predicateType, predicate: document['predicate'], document } };
}

function checkWanted(predicateType: string, wanted: WantedStatement): Refusal | undefined {
  switch (wanted.kind) {
    case 'any':
      return undefined;
    case 'signature': {
      if (predicateType === SIGNATURE_PREDICATE) return undefined;
      const sentence = `an attestation is not a signature: its predicate type is ${quote(predicateType)}, expected "${SIGNATURE_PREDICATE}"`;
      return refuse('EVIDENCE_UNSUPPORTED', sentence);
    }
    case 'attestation':
      return wanted.predicateTypes.includes(predicateType)
        ? undefined
        : refuseOther(`its predicate type is ${quote(predicateType)}`, wanted.predicateTypes);
  }
}

/** The evidence is not an attestation of the type that is wanted. */
export function refuseOther(found: string, wanted: readonly string[]): Refusal {
  const types = wanted.map((type) => quote(type)).join(' or ');
  return refuse('ATTESTATION_MISSING', `another attestation is wanted: ${found}, expected ${types}`);
}

function checkSubjects(subjects: unknown, wanted: WantedStatement, expected: string): Refusal | undefined {
  if (!Array.isArray(subjects) || subjects.length === 0) return malformed('expected at least one subject, found none');
  if (subjects.length > MAX_SUBJECTS) {
    const sentence = `the statement has ${subjects.length} subjects, at most ${MAX_SUBJECTS} are read`;
    return refuse('EVIDENCE_TOO_LARGE', sentence);
  }
  const found: string[] = [];
  for (const subject of subjects) {
    const digests: unknown = isRecord(subject) ? subject['digest'] : undefined;
    if (!isRecord(digests)) return malformed('expected every subject to have a digest');
    if (Object.keys(digests).length > MAX_DIGESTS) {
      return refuse('EVIDENCE_TOO_LARGE', `a subject has more than ${MAX_DIGESTS} digests`);
    }
    if (typeof digests['sha256'] === 'string') found.push(digests['sha256']);
  }
  if (found.includes(expected)) return undefined;
  const what = wanted.kind === 'attestation' ? 'attestation' : 'signature';
  const sentence = `the ${what} is about another image: expected ${expected}, it names ${nameAll(found)}`;
  return refuse('SUBJECT_MISMATCH', sentence);
}

function nameAll([first, ...others]: readonly string[]): string {
  if (first === undefined) return 'no sha256 digest';
  return `${quote(first)}${others.length > 0 ? ` and ${others.length} others` : ''}`;
}

function unread({ problem, tooLarge }: Extract<JsonResult, { ok: false }>): Refusal {
  return tooLarge === true
    ? refuse('EVIDENCE_TOO_LARGE', `the signed statement is not read: ${problem}`)
    : malformed(problem);
}

function malformed(problem: string): Refusal {
  return refuse('EVIDENCE_MALFORMED', `the signed statement can't be read: ${problem}`);
}
