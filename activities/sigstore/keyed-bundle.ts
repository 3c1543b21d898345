import { type BundleWithDsseEnvelope, isBundleWithPublicKey } from '@sigstore/bundle';
import { type TrustMaterial, toSignedEntity, Verifier } from '@sigstore/verify';
import { preAuthEncoding } from '../../workflows/dsse.ts';
import { decodeBase64 } from './base64.ts';
import { readBundle } from './bundle.ts';
import { type ExpectedImage, type Refusal, refuse, type SignatureJudgement } from './judgement.ts';
import type { VerificationKey } from './key.ts';
import { quote } from './quote.ts';
import { holds, refuseBroken } from './raw-signature.ts';
import { judgeStatement } from './statement.ts';

/**
 * Judges a Sigstore bundle by one key: first that the key signed the envelope, then what the envelope states. Log
 * entries and timestamps are bounded and otherwise left alone, as `cosign verify --insecure-ignore-tlog` (cosign@3)
 * does: no policy asks for them yet, and whoever can push could add junk ones to a good bundle. The key hint decides
 * nothing, it only tells the wrong key from a broken signature.
 */
export function judgeBundle(bytes: Uint8Array, key: VerificationKey, expected: ExpectedImage): SignatureJudgement {
  const read = readBundle(bytes);
  if (!read.ok) return read.refusal;
  const bundle = read.value;
  const { payload, payloadType } = bundle.content.dsseEnvelope;
  if (!isSignedBy(bundle, key)) return blame(bundle, key);
  return judgeStatement(payloadType, payload, expected);
}

function isSignedBy(bundle: BundleWithDsseEnvelope, key: VerificationKey): boolean {
  const { payload, payloadType } = bundle.content.dsseEnvelope;
  try {
    const entity = toSignedEntity({
      ...bundle,
      verificationMaterial: { ...bundle.verificationMaterial, tlogEntries: [], timestampVerificationData: undefined },
    });
    const { signature } = entity.signature;
    // The library verifies envelopes with the key type's default hash only; this is its seam for other schemes.
    entity.signature.verifySignature = () => holds(signature, preAuthEncoding(payloadType, payload), key);
    new Verifier(trustOnly(key), { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 }).verify(entity);
    return true;
  } catch {
    return false;
  }
}

/** The policy's key, whatever key the bundle hints at, and nothing else. */
function trustOnly(key: VerificationKey): TrustMaterial {
  return {
    certificateAuthorities: [],
    timestampAuthorities: [],
    tlogs: [],
    ctlogs: [],
    publicKey: () => ({ publicKey: key.publicKey, validFor: () => true }),
  };
}

function blame(bundle: BundleWithDsseEnvelope, key: VerificationKey): Refusal {
  const hint = isBundleWithPublicKey(bundle) ? bundle.verificationMaterial.content.publicKey.hint : '';
  const own = Buffer.from(key.keyId, 'hex').toString('base64');
  if (hint === '' || hint === own) return refuseBroken(key);
  return refuse('WRONG_KEY', `signed by the key ${keyName(hint)}, expected sha256:${key.keyId}`);
}

/** The hint that cosign@3 writes is the SHA-256 of the SPKI in base64; others are free text. */
function keyName(hint: string): string {
  const bytes = decodeBase64(hint);
  return bytes?.length === 32 ? `sha256:${bytes.toString('hex')}` : quote(hint);
}
