import { parseDigest } from '../../../workflows/format/digest.ts';
import { type ImageName, parseName, repositoryOf } from '../../../workflows/format/name.ts';
import { isRecord } from '../../../workflows/format/record.ts';
import { globMatches } from '../../../workflows/policy/glob.ts';
import { quote } from '../../text/quote.ts';
import { hasExactly, parseStrictJson } from '../../text/strict-json.ts';
import { type ExpectedImage, failed, type Refusal, refuse, type Step } from '../judgement.ts';

const PAYLOAD_TYPE = 'cosign container image signature';

/**
 * Judges the payload that cosign@2 signs, after its signature held. It is read as strictly as containers/image@5 does
 * (`signature/internal/sigstore_payload.go`: exact fields, its one type, no field twice), which also goes for the digest
 * and, unlike cosign, the repository, which is the image's own or one that the policy lists.
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
  if (name !== undefined && isExpectedRepository(name, expected)) return judgeTag(name, reference, expected);
  const sentence = `the signature is for another repository: expected ${nameRepositories(expected)}, it names ${quote(reference)}`;
  return refuse('REPOSITORY_MISMATCH', sentence);
}

function isExpectedRepository({ registry, repository }: ImageName, expected: ExpectedImage): boolean {
  // Without its tag: the repositories of a policy have none.
  const name = { registry, repository };
  const others = expected.identity?.signedAs ?? [];
  return repositoryOf(name) === expected.repository || others.some((glob) => globMatches(glob, name));
}

function nameRepositories({ repository, identity }: ExpectedImage): string {
  const [first, ...others] = identity?.signedAs ?? [];
  if (first === undefined) return repository;
  return `${repository} or ${quote(first)}${others.length > 0 ? ` or ${others.length} others` : ''} (signedAs)`;
}

/** With `signedReference: exact` the signature has to name the tag that is pulled, and no other digest. */
function judgeTag({ tag, digest }: ImageName, reference: string, expected: ExpectedImage): Refusal | undefined {
  if (expected.identity?.reference.kind !== 'exact') return undefined;
  const wanted = expected.identity.reference.tag;
  if (wanted === undefined) {
    const sentence = `the image is pulled without a tag, and the policy requires the exact reference, ${quote(reference)}; pull it by its tag`;
    return refuse('REFERENCE_MISMATCH', sentence);
  }
  if (tag === wanted && (digest === undefined || digest === expected.digest)) return undefined;
  const found = tag === undefined ? `${quote(reference)}, which has no tag` : quote(reference);
  const sentence = `the signature is for another reference: expected the tag ${quote(wanted)}, it names ${found}`;
  return refuse('REFERENCE_MISMATCH', sentence);
}

/** The answer to a signature that names no reference; `undefined` where the policy does not require one. */
export function judgeUnnamed({ identity }: ExpectedImage): Refusal | undefined {
  if (identity?.reference.kind !== 'exact') return undefined;
  const fix = 'sign in the older format, with the reference that is pulled';
  const sentence = `the signature is a bundle, which names no reference, and the policy requires the exact one; ${fix}`;
  return refuse('REFERENCE_MISMATCH', sentence);
}

function malformed<T>(problem: string): Step<T> {
  return failed(refuse('EVIDENCE_MALFORMED', `the signed payload can't be read: ${problem}`));
}
