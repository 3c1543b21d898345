import { digestHex } from '../../workflows/digest.ts';
import { isRecord } from '../../workflows/record.ts';
import { MAX_SUBJECTS } from '../limits.ts';
import { type ExpectedImage, refuse, type SignatureJudgement } from './judgement.ts';
import { quote } from './quote.ts';
import { parseStrictJson } from './strict-json.ts';

const PAYLOAD_TYPE = 'application/vnd.in-toto+json';
const STATEMENT_TYPES: ReadonlySet<unknown> = new Set([
  'https://in-toto.io/Statement/v0.1',
  'https://in-toto.io/Statement/v1',
]);

/** What `cosign sign` (cosign@3) writes. Every other predicate is an attestation. */
const SIGNATURE_PREDICATE = 'https://sigstore.dev/cosign/sign/v1';

/** Digests of one subject (sigstore-go `internal/limits`). */
const MAX_DIGESTS = 32;

/**
 * Judges what an envelope states, after its signature held: an in-toto statement (attestation spec v1, v0.1 before it)
 * with the predicate of a cosign signature, whose subjects name the expected digest. A statement names no repository,
 * so there is none to compare. `annotations` of a subject and the predicate's content are left to policies.
 */
export function judgeStatement(
  payloadType: string,
  payload: Uint8Array,
  { digest }: Pick<ExpectedImage, 'digest'>,
): SignatureJudgement {
  if (payloadType !== PAYLOAD_TYPE) {
    return refuse('EVIDENCE_UNSUPPORTED', `the envelope holds ${quote(payloadType)}, expected "${PAYLOAD_TYPE}"`);
  }
  const json = parseStrictJson(payload);
  if (!json.ok) return malformed(json.problem);
  const statement = json.value;
  if (!isRecord(statement) || typeof statement['_type'] !== 'string') return malformed('expected a _type, found none');
  if (!STATEMENT_TYPES.has(statement['_type'])) {
    return refuse(
      'EVIDENCE_UNSUPPORTED',
      `the statement is of type ${quote(statement['_type'])}, v0.1 and v1 are read`,
    );
  }
  const predicateType = statement['predicateType'];
  if (typeof predicateType !== 'string') return malformed('expected a predicateType, found none');
  if (predicateType !== SIGNATURE_PREDICATE) {
    const sentence = `an attestation is not a signature: its predicate type is ${quote(predicateType)}, expected "${SIGNATURE_PREDICATE}"`;
    return refuse('EVIDENCE_UNSUPPORTED', sentence);
  }
  return judgeSubjects(statement['subject'], digestHex(digest));
}

function judgeSubjects(subjects: unknown, expected: string): SignatureJudgement {
  if (!Array.isArray(subjects) || subjects.length === 0) return malformed('expected at least one subject, found none');
  if (subjects.length > MAX_SUBJECTS) {
    return refuse(
      'EVIDENCE_TOO_LARGE',
      `the statement has ${subjects.length} subjects, at most ${MAX_SUBJECTS} are read`,
    );
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
  if (found.includes(expected)) return { valid: true };
  const [first, ...others] = found;
  const named =
    first === undefined
      ? 'no sha256 digest'
      : `${quote(first)}${others.length > 0 ? ` and ${others.length} others` : ''}`;
  return refuse('SUBJECT_MISMATCH', `the signature is about another image: expected ${expected}, it names ${named}`);
}

function malformed(problem: string): SignatureJudgement {
  return refuse('EVIDENCE_MALFORMED', `the signed statement can't be read: ${problem}`);
}
