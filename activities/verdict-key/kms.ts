import { preAuthEncoding } from '../../workflows/format/dsse.ts';
import { EvidenceError } from '../evidence-error.ts';
import type { KeyManager, KeyProvider, KeyReference, ManagedSignature } from '../kms/managed-key.ts';
import { holds } from '../sigstore/evidence/raw-signature.ts';
import type { VerdictKey } from './verdict-key.ts';

/** What nodes accept, see `shim/verdict-keys/verdict-keys.ts`. */
const ALGORITHMS: readonly string[] = ['ECDSA P-256', 'Ed25519'];

/** As long as a long verdict: what a service does not take should be found out when the worker starts. */
const TRIAL = Buffer.alloc(8 * 1024, 'portcullis tries its verdict key\n');

/**
 * A verdict key that never leaves its KMS. It is tried once, so that a worker that can't sign does not start. An alias
 * is followed once: what it means then signs until the worker is started again, because nodes believe a key, not a name.
 * Throws what the service throws, and KEY_UNSUITABLE; its `sign` throws KEY_UNREADABLE and the KMS_ codes.
 */
export async function createManagedVerdictKey(
  reference: KeyReference,
  managers: (provider: KeyProvider) => Promise<KeyManager>,
  signal: AbortSignal = new AbortController().signal,
): Promise<VerdictKey> {
  const manager = await managers(reference.provider);
  const { key } = await signChecked(manager, reference, TRIAL, signal);
  if (!ALGORITHMS.includes(key.algorithm)) {
    throw new EvidenceError(
      'KEY_UNSUITABLE',
      `nodes accept verdicts by ${ALGORITHMS.join(' or ')}, ${reference.uri} is ${key.algorithm}; name another key`,
      { retryable: false },
    );
  }
  return {
    keyId: key.keyId,
    publicKey: key.publicKey,
    async sign(payloadType, payload) {
      const bytes = preAuthEncoding(payloadType, payload);
      const made = await signChecked(manager, reference, bytes, new AbortController().signal).catch((error) => {
        throw asSigner(error);
      });
      if (made.key.keyId !== key.keyId) {
        throw new EvidenceError(
          'KEY_UNREADABLE',
          `${reference.uri} means another key than when this worker started (${made.key.keyId}, not ${key.keyId}); give nodes the new public key, then restart the worker`,
          { retryable: false },
        );
      }
      return {
        payloadType,
        payload: Buffer.from(payload).toString('base64'),
        signatures: [{ keyid: key.keyId, sig: Buffer.from(made.signature).toString('base64') }],
      };
    },
  };
}

/** A signature is judged as a node will judge it, before it is given away. */
async function signChecked(
  manager: KeyManager,
  reference: KeyReference,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<ManagedSignature> {
  const made = await manager.sign(reference, bytes, signal);
  if (holds(made.signature, bytes, made.key)) return made;
  throw new EvidenceError('KMS_MISBEHAVED', `the signature that ${reference.uri} made does not hold under its key`, {
    retryable: true,
  });
}

/** What the service says of this key is no word about the key of an image. */
function asSigner(error: unknown): unknown {
  if (!(error instanceof EvidenceError) || error.code.startsWith('KMS_')) return error;
  return new EvidenceError('KEY_UNREADABLE', `the verdict key did not sign: ${error.message}`, {
    retryable: error.retryable,
  });
}
