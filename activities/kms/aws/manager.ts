import { createHash } from 'node:crypto';
import { EvidenceError } from '../../evidence-error.ts';
import { MAX_MANAGED_KEYS } from '../../limits.ts';
import { holds } from '../../sigstore/evidence/raw-signature.ts';
import type { SignatureScheme, VerificationKey } from '../../sigstore/key/key.ts';
import { createBoundedMap } from '../checked/bounded-map.ts';
import { kmsFailure } from '../failure.ts';
import type { KeyDescription, KeyManager, KeyReference, ManagedSignature } from '../managed-key.ts';
import { type AwsAlgorithm, algorithmsOf } from './algorithm.ts';
import { type AwsKeyMetadata, readMetadata, stateOf } from './answer.ts';
import { createAwsCalls, serviceName } from './calls.ts';
import { type AwsKey, parseAwsKey } from './key-uri.ts';
import { createAwsPublicKeys } from './public-keys.ts';

/** A usable key, as it was when it was last looked at. */
interface Usable {
  readonly metadata: AwsKeyMetadata;
  readonly key: VerificationKey;
}

/** What KMS takes as it is (API reference, Sign); more has to be a digest. */
const MAX_RAW_BYTES = 4096;

/** What KMS says by an error although DescribeKey just said otherwise: the key was changed in between. */
const ANSWERS: ReadonlySet<string> = new Set(['KEY_NOT_FOUND', 'KEY_DISABLED', 'KEY_UNAVAILABLE', 'KEY_UNSUITABLE']);

/**
 * Keys in AWS KMS, by its own client: credentials, region and endpoint come from where every AWS program has them
 * (environment, shared files, SSO, web identity, container, instance), or from the key's own name.
 */
export function createAwsKeyManager(): KeyManager {
  const calls = createAwsCalls();
  const publicKeys = createAwsPublicKeys(calls);
  /** By URI, what it meant when it was last looked at. */
  const seen = createBoundedMap<Usable>(MAX_MANAGED_KEYS);
  /** By URI. What a worker signs by stays the same key, also when its alias moves. */
  const signers = createBoundedMap<Usable>(MAX_MANAGED_KEYS);

  const look = async (reference: KeyReference, signal: AbortSignal): Promise<KeyDescription & Partial<Usable>> => {
    const asked = toAwsKey(reference);
    let resource = asked.keyId;
    // Both at once, where the public key has to be fetched at all: a pull waits, and each may be throttled by itself.
    const early = publicKeys.prefetch(asked, signal);
    try {
      const missing = early.failedBefore ? await early.done() : undefined;
      if (missing instanceof EvidenceError && missing.retryable) throw missing;
      const metadata = readMetadata(await calls.describeKey(asked, signal), asked);
      resource = metadata.key.keyId;
      const state = stateOf(metadata);
      if (state.kind === 'unusable') return { resource, state, keys: [] };
      const key = await publicKeys.of(metadata, await early.done(), signal);
      seen.set(reference.uri, { metadata, key });
      return { resource, state, keys: [key], metadata, key };
    } catch (error) {
      if (!(error instanceof EvidenceError) || error.retryable || !ANSWERS.has(error.code)) {
        await early.done(); // what it brings is kept for the next attempt
        throw error;
      }
      return { resource, state: { kind: 'unusable', code: error.code, sentence: error.message }, keys: [] };
    } finally {
      early.stop();
    }
  };

  const signerOf = async (reference: KeyReference, signal: AbortSignal): Promise<Usable> => {
    const known = signers.get(reference.uri);
    if (known !== undefined) return known;
    const { state, metadata, key } = await look(reference, signal);
    if (state.kind === 'unusable') throw new EvidenceError(state.code, state.sentence, { retryable: false });
    if (metadata === undefined || key === undefined) throw new Error('a usable key has been fetched');
    signers.set(reference.uri, { metadata, key });
    return { metadata, key };
  };

  return {
    async describe(reference, signal) {
      const { resource, state, keys } = await look(reference, signal);
      return { resource, state, keys };
    },

    async verify(reference, key, signed, signature, signal) {
      const before = seen.get(reference.uri);
      const known = before?.key.keyId === key.keyId ? before : await look(reference, signal);
      if (known.key === undefined || known.metadata === undefined || known.key.keyId !== key.keyId) return false;
      const { metadata } = known;
      // KMS wants to know how the signature was made, and a signature does not say it.
      const way = algorithmsFor(metadata).find(({ scheme }) => holds(signature, signed, { ...key, schemes: [scheme] }));
      if (way === undefined) return false;
      const input = { ...messageOf(signed, way.scheme, metadata.key, 'kms:Verify'), SigningAlgorithm: way.name };
      return calls.verify(metadata.key, { ...input, Signature: signature }, signal);
    },

    async sign(reference, bytes, signal): Promise<ManagedSignature> {
      const { metadata, key } = await signerOf(reference, signal);
      const [way] = algorithmsFor(metadata);
      if (way === undefined) throw new Error('a usable key has an algorithm');
      const input = { ...messageOf(bytes, way.scheme, metadata.key, 'kms:Sign'), SigningAlgorithm: way.name };
      const { Signature: signature } = await calls.sign(metadata.key, input, signal);
      if (signature !== undefined && holds(signature, bytes, { ...key, schemes: [way.scheme] })) {
        return { signature, key };
      }
      const call = { service: serviceName(metadata.key), permission: 'kms:Sign', key: metadata.key.keyId };
      throw kmsFailure('misbehaved', call, 'a signature that does not hold');
    },
  };
}

function algorithmsFor({ spec, algorithms }: AwsKeyMetadata): readonly AwsAlgorithm[] {
  return algorithmsOf(spec, algorithms)?.algorithms ?? [];
}

/** A digest where the scheme has one, so that nothing of what is signed leaves the machine and its size does not matter. */
function messageOf(bytes: Uint8Array, scheme: SignatureScheme, key: AwsKey, permission: string) {
  if (scheme.kind !== 'pure') {
    return { Message: createHash(scheme.hash).update(bytes).digest(), MessageType: 'DIGEST' as const };
  }
  if (bytes.length <= MAX_RAW_BYTES) return { Message: bytes, MessageType: 'RAW' as const };
  throw new EvidenceError(
    'KEY_UNSUITABLE',
    `${serviceName(key)} takes at most ${MAX_RAW_BYTES} bytes for a key of this kind (${permission} on ${key.keyId}), found ${bytes.length}; use an ECDSA or RSA key`,
    { retryable: false },
  );
}

/** A reference was read once already, by `parseKeyUri`. */
function toAwsKey({ uri }: KeyReference): AwsKey {
  const parsed = parseAwsKey(uri);
  if (!parsed.ok)
    throw new EvidenceError('KEY_NOT_FOUND', `the key is not usable: ${parsed.problem}`, { retryable: false });
  return parsed.key;
}
