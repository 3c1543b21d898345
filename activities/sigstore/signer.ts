import { decodeBase64 } from '../text/base64.ts';
import { quote } from '../text/quote.ts';
import { type LeafCertificate, readLeaf } from './certificate/certificate.ts';
import { checkChain } from './certificate/chain.ts';
import { checkClaims, checkIdentity, describeIdentity, readIdentity } from './certificate/identity.ts';
import type { Evidence } from './evidence/evidence.ts';
import { refuseBroken } from './evidence/raw-signature.ts';
import type { JudgeContext } from './judge-context.ts';
import { failed, type ProvenEntry, type Refusal, refuse, type Step } from './judgement.ts';
import type { VerificationKey } from './key/key.ts';
import { observe } from './observation.ts';
import type { Requirement, SignerRequirement } from './requirement/requirement.ts';

/** Who made a signature, as the requirement wants it, and who saw it. */
export interface ProvenSigner {
  readonly identity: string;
  readonly entries: readonly ProvenEntry[];
  /** As in `Proof`. */
  readonly certifiedAt: number | undefined;
}

type Keyless = Extract<SignerRequirement, { readonly kind: 'keyless' }>;

/**
 * Proves that the signer whom the requirement names made the signature: the signature first, then who saw it, then the
 * certificate, then the identity. What was signed is not read here.
 */
export function proveSigner(evidence: Evidence, requirement: Requirement, context: JudgeContext): Step<ProvenSigner> {
  const { signer } = requirement;
  switch (signer.kind) {
    case 'key':
      return proveKey(evidence, signer.key, requirement, context);
    case 'keyless':
      return proveKeyless(evidence, signer, requirement, context);
  }
}

function proveKey(
  evidence: Evidence,
  key: VerificationKey,
  requirement: Requirement,
  context: JudgeContext,
): Step<ProvenSigner> {
  const { signer, signed, signature } = evidence;
  if (signer.kind === 'certificate' && signer.binding) return failed(refuseCertificate('the bundle'));
  if (!signed.holds(signature, key)) return failed(blame(evidence, key));
  const observation = observe({ evidence, key, certificate: undefined }, requirement, context);
  if (!observation.ok) return observation;
  const { entries } = observation.value;
  return { ok: true, value: { identity: `key sha256:${key.keyId}`, entries, certifiedAt: undefined } };
}

function proveKeyless(
  evidence: Evidence,
  rule: Keyless,
  requirement: Requirement,
  context: JudgeContext,
): Step<ProvenSigner> {
  const { signer, signed, signature } = evidence;
  if (signer.kind === 'key') {
    const sentence = 'the evidence is signed with a key, expected a certificate of one of the identities (keyless)';
    return failed(refuse('WRONG_IDENTITY', sentence));
  }
  const leaf = readLeaf(signer.der);
  if (!leaf.ok) return leaf;
  const { key, der } = leaf.value;
  if (!signed.holds(signature, key)) return failed(refuseBroken(key));
  const signing = { evidence, key, certificate: der };
  const observation = observe(signing, requirement, context);
  if (!observation.ok) return observation;
  const { entries, times } = observation.value;
  const untrusted = checkChain(signing, leaf.value, times, rule.certificateTimestamps, requirement.trust);
  if (untrusted !== undefined) return failed(untrusted);
  const identity = proveIdentity(leaf.value, rule);
  if (!identity.ok) return identity;
  const certifiedAt = leaf.value.certificate.notBefore.getTime();
  return { ok: true, value: { identity: identity.value, entries, certifiedAt } };
}

function proveIdentity({ certificate }: LeafCertificate, { identities, claims }: Keyless): Step<string> {
  const identity = readIdentity(certificate);
  if (!identity.ok) return identity;
  const refusal = checkIdentity(identity.value, identities) ?? checkClaims(certificate, claims);
  return refusal === undefined ? { ok: true, value: describeIdentity(identity.value) } : failed(refusal);
}

/** The hint decides nothing, it only tells the wrong key from a broken signature. */
function blame({ signer }: Evidence, key: VerificationKey): Refusal {
  if (signer.kind === 'certificate') return refuseCertificate('the signature');
  const own = Buffer.from(key.keyId, 'hex').toString('base64');
  if (signer.hint === '' || signer.hint === own) return refuseBroken(key);
  return refuse('WRONG_KEY', `signed by the key ${keyName(signer.hint)}, expected sha256:${key.keyId}`);
}

function refuseCertificate(what: string): Refusal {
  return refuse('WRONG_KEY', `${what} is signed with a certificate (keyless), expected one that is signed with a key`);
}

/** The hint that cosign@3 writes is the SHA-256 of the SPKI in base64; others are free text. */
function keyName(hint: string): string {
  const bytes = decodeBase64(hint);
  return bytes?.length === 32 ? `sha256:${bytes.toString('hex')}` : quote(hint);
}
