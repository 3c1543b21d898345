import { parseDigest } from '../../workflows/digest.ts';
import { parseName, repositoryOf } from '../../workflows/name.ts';
import { isRecord } from '../../workflows/record.ts';
import { type ExpectedImage, failed, type Refusal, refuse, type Step } from './judgement.ts';
import { quote } from './quote.ts';
import { hasExactly, parseStrictJson } from './strict-json.ts';

const PAYLOAD_TYPE = 'cosign container image signature';

/**
 * Judges the payload that cosign@2 signs, after its signature held. It is read as strictly as containers/image@5 does
 * (`signature/internal/sigstore_payload.go`: exact fields, its one type, no field twice), which also goes for the digest
 * and, unlike cosign, the repository.
 */
export function judgeSimpleSigning(payload: Uint8Array, expected: ExpectedImage): Refusal | undefined {
  const claim = readClaim(payload);
  return claim.ok ? judgeClaim(claim.value, expected) : claim.refusal;
}

interface Claim {
  readonly digest: string;
  readonly reference: string;
}

function readClaim(payload: Uint8Array): Step<Claim> {
  const json = parseStrictJson(payload);
  if (!json.ok && json.tooLarge === true) {
    return failed(refuse('EVIDENCE_TOO_LARGE', `the signed payload is not read: ${json.problem}`));
  }
  if (!json.ok) return malformed(json.problem);
  if (!hasExactly(json.value, ['critical', 'optional'])) return malformed('expected the fields critical and optional');
  const { critical, optional } = json.value as { critical?: unknown; optional?: unknown };
  if (optional !== null && !isRecord(optional)) return malformed('expected optional to be an object or null');
  if (!hasExactly(critical, ['identity', 'image', 'type'])) {
    return malformed('expected the fields identity, image and type in critical');
  }
  const type = critical['type'];
  if (type !== PAYLOAD_TYPE) {
    const found = typeof type === 'string' ? quote(type) : 'none';
    return failed(refuse('EVIDENCE_UNSUPPORTED', `expected the payload type "${PAYLOAD_TYPE}", found ${found}`));
  }
  const digest = onlyField(critical['image'], 'docker-manifest-digest');
  const reference = onlyField(critical['identity'], 'docker-reference');
  if (digest === undefined) return malformed('expected docker-manifest-digest in critical.image');
  if (reference === undefined) return malformed('expected docker-reference in critical.identity');
  return { ok: true, value: { digest, reference } };
}

function onlyField(value: unknown, field: string): string | undefined {
  if (!hasExactly(value, [field])) return undefined;
  const text = value[field];
  return typeof text === 'string' ? text : undefined;
}

function judgeClaim({ digest, reference }: Claim, expected: ExpectedImage): Refusal | undefined {
  if (parseDigest(digest) !== expected.digest) {
    const sentence = `the signature is about another image: expected ${expected.digest}, it names ${quote(digest)}`;
    return refuse('SUBJECT_MISMATCH', sentence);
  }
  const name = parseName(reference);
  if (name !== undefined && repositoryOf(name) === expected.repository) return undefined;
  const sentence = `the signature is for another repository: expected ${expected.repository}, it names ${quote(reference)}`;
  return refuse('REPOSITORY_MISMATCH', sentence);
}

function malformed<T>(problem: string): Step<T> {
  return failed(refuse('EVIDENCE_MALFORMED', `the signed payload can't be read: ${problem}`));
}
