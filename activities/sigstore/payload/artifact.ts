import { createHash, type KeyObject } from 'node:crypto';
import type { Bundle } from '@sigstore/bundle';
import { HashAlgorithm } from '@sigstore/protobuf-specs';
import { readBundle } from '../evidence/bundle.ts';
import { type Evidence, fromEnvelopeBundle, materialOf } from '../evidence/evidence.ts';
import { bytesAsSigned, type Signed } from '../evidence/signed.ts';
import type { JudgeContext } from '../judge-context.ts';
import { failed, type Refusal, refuse, type SignatureJudgement, type Step } from '../judgement.ts';
import type { Requirement } from '../requirement/requirement.ts';
import { proveSigner } from '../signer.ts';
import { judgeStatement } from './statement.ts';

/** A file that was signed. */
export interface Artifact {
  /** Hex SHA-256. */
  readonly digest: string;
  /** The file itself; without it only its digest is known. */
  readonly bytes?: Uint8Array;
}

/** What a judgement of a file needs to know beside it. */
export interface ArtifactContext extends JudgeContext {
  /**
   * Tells whether a signature over bytes with this SHA-256 holds, which `node:crypto` can't: it hashes for itself. Without
   * it a blob's signature can't be judged by its digest alone.
   */
  readonly holdsOverDigest?: (digest: Buffer, signature: Buffer, key: KeyObject) => boolean;
}

/**
 * Judges a bundle over a file rather than an image: a signature over the file, or an in-toto statement of whatever type
 * that names it. `wanted` of the requirement does not count. Never throws.
 */
export function judgeArtifact(
  bundle: Uint8Array,
  requirement: Requirement,
  artifact: Artifact,
  context: ArtifactContext,
): SignatureJudgement {
  try {
    const evidence = readArtifactEvidence(bundle, artifact, context);
    if (!evidence.ok) return evidence.refusal;
    const signer = proveSigner(evidence.value, requirement, context);
    if (!signer.ok) return signer.refusal;
    const { payload } = evidence.value;
    if (payload.kind !== 'envelope') return { valid: true, ...signer.value, statement: undefined };
    const statement = judgeStatement(payload.type, payload.bytes, { kind: 'any' }, artifact.digest);
    return statement.ok ? { valid: true, ...signer.value, statement: statement.value } : statement.refusal;
  } catch {
    return refuse('EVIDENCE_MALFORMED', "the bundle can't be read: it made its reader fail");
  }
}

function readArtifactEvidence(bytes: Uint8Array, artifact: Artifact, context: ArtifactContext): Step<Evidence> {
  const read = readBundle(bytes, 'any');
  if (!read.ok) return read;
  const bundle = read.value;
  if (bundle.content.$case === 'dsseEnvelope') return fromEnvelopeBundle(bundle, undefined);
  const { messageDigest, signature } = bundle.content.messageSignature;
  const refusal = checkDigest(messageDigest, artifact);
  if (refusal !== undefined) return failed(refusal);
  const signed = signedOf(artifact, context);
  if (signed === undefined) {
    return failed(refuse('EVIDENCE_UNSUPPORTED', 'a signature over a file can be judged only with the file'));
  }
  return { ok: true, value: { ...materialOf(bundle, true), signature, signed, payload: { kind: 'artifact' } } };
}

type MessageDigest = Extract<Bundle['content'], { $case: 'messageSignature' }>['messageSignature']['messageDigest'];

const HASHES: ReadonlyMap<HashAlgorithm, 'sha256' | 'sha384' | 'sha512'> = new Map([
  [HashAlgorithm.SHA2_256, 'sha256'],
  [HashAlgorithm.SHA2_384, 'sha384'],
  [HashAlgorithm.SHA2_512, 'sha512'],
]);

/** The digest in the bundle is only somebody's word, and has to be the one of the file. */
function checkDigest({ algorithm, digest }: MessageDigest, artifact: Artifact): Refusal | undefined {
  const hash = HASHES.get(algorithm);
  if (hash === undefined) {
    return refuse('EVIDENCE_UNSUPPORTED', 'expected the digest in the bundle to be SHA-256, SHA-384 or SHA-512');
  }
  if (hash !== 'sha256' && artifact.bytes === undefined) {
    return refuse('EVIDENCE_UNSUPPORTED', `a ${hash} digest can be judged only with the file`);
  }
  const expected =
    artifact.bytes === undefined ? artifact.digest : createHash(hash).update(artifact.bytes).digest('hex');
  if (digest.toString('hex') === expected) return undefined;
  return refuse('SUBJECT_MISMATCH', `the signature is about another file: expected ${expected}`);
}

function signedOf({ bytes, digest }: Artifact, { holdsOverDigest }: ArtifactContext): Signed | undefined {
  if (bytes !== undefined) return bytesAsSigned(bytes);
  if (holdsOverDigest === undefined) return undefined;
  const sha256 = Buffer.from(digest, 'hex');
  return {
    holds: (signature, { publicKey }) => holdsOverDigest(sha256, Buffer.from(signature), publicKey),
    hasDigest: (other) => sha256.equals(other),
  };
}
