import { createHash } from 'node:crypto';
import type { protos } from '@google-cloud/kms';
import { EvidenceError } from '../../evidence-error.ts';
import { parsePublicKey, type SignatureScheme, type VerificationKey } from '../../sigstore/key/key.ts';
import { quote } from '../../text/quote.ts';
import { kmsFailure } from '../failure.ts';
import type { KeyDescription, KeyManager, KeyReference, KeyState } from '../managed-key.ts';
import { type GcpAlgorithm, gcpAlgorithm } from './algorithm.ts';
import { createGcpApi, type GcpApi, type GcpClientOptions, gcpCall } from './api.ts';
import { parseGcpKey } from './key-uri.ts';
import { gcpState } from './state.ts';

/**
 * Google Cloud KMS, by its official client and the application default credentials. One version is the key: the one that
 * is named, else the newest that is enabled, as cosign has it. The service verifies no asymmetric signatures, so that
 * `verify` throws KMS_ERROR. Two requests describe a key.
 */
export function createGcpKeyManager(options: GcpClientOptions = {}): KeyManager {
  const api = createGcpApi(options);
  return {
    describe: (reference, signal) => describe(api, reference, signal),

    verify({ uri }) {
      const message = `Google Cloud KMS verifies no asymmetric signatures, and the policy wants it to by ${uri}: leave that to the worker`;
      return Promise.reject(new EvidenceError('KMS_ERROR', message, { retryable: false }));
    },

    async sign(reference, bytes, signal) {
      const { resource, state, keys } = await describe(api, reference, signal);
      if (state.kind === 'unusable') throw new EvidenceError(state.code, state.sentence, { retryable: false });
      const [key] = keys;
      const scheme = key?.schemes[0];
      if (key === undefined || scheme === undefined) throw new Error('expected a usable key to have a scheme');
      const { signature } = await api.sign(resource, inputOf(scheme, bytes), signal);
      if (!(signature instanceof Uint8Array))
        throw kmsFailure('misbehaved', gcpCall('useToSign', resource), 'no signature');
      return { signature, key };
    },
  };
}

async function describe(api: GcpApi, reference: KeyReference, signal: AbortSignal): Promise<KeyDescription> {
  const parsed = parseGcpKey(reference.uri);
  if (!parsed.ok) throw new Error(`expected a reference that parseKeyUri made: ${parsed.problem}`);
  const { name, version } = parsed.key;
  const asked = version === undefined ? name : `${name}/cryptoKeyVersions/${version}`;
  const call = gcpCall(version === undefined ? 'list' : 'get', asked);
  const found = await api.version(parsed.key, signal);
  if (found === undefined)
    return unusable(asked, 'KEY_NOT_FOUND', `there is no key ${asked} in Google Cloud KMS, or no version of it`);

  const resource = found.name ?? '';
  const number = version ?? /\/(\d{1,10})$/.exec(resource)?.[1];
  const isAsked = number !== undefined && resource === `${name}/cryptoKeyVersions/${number}`;
  if (!isAsked) throw kmsFailure('misbehaved', call, `another key: ${resource}`);
  const state = gcpState(resource, String(found.state));
  if (state === undefined) throw kmsFailure('misbehaved', call, `a state ${found.state}`);
  if (state.kind === 'unusable') return { resource, state, keys: [] };
  const algorithm = gcpAlgorithm(String(found.algorithm));
  if (algorithm === undefined) {
    const sentence = `the key ${resource} is for ${quote(String(found.algorithm))}, expected signing by ECDSA, RSA or Ed25519`;
    return unusable(resource, 'KEY_UNSUITABLE', sentence);
  }
  const key = readKey(resource, algorithm, await api.publicKey(resource, signal));
  return { resource, state, keys: [key] };
}

function readKey(resource: string, algorithm: GcpAlgorithm, answer: protos.google.cloud.kms.v1.IPublicKey) {
  const call = gcpCall('viewPublicKey', resource);
  const { name, pem } = answer;
  // Servers before 2020 left the name out.
  if (name && name !== resource) throw kmsFailure('misbehaved', call, `the public key of ${name}`);
  const result = parsePublicKey(pem ?? '');
  if (!result.ok) throw kmsFailure('misbehaved', call, `no good public key: ${result.problem}`);
  const { keyKind, scheme } = algorithm;
  const kind = result.key.algorithm;
  if (kind !== keyKind) throw kmsFailure('misbehaved', call, `${kind} for a key that is ${keyKind}`);
  return { ...result.key, schemes: [scheme] } satisfies VerificationKey;
}

function inputOf(scheme: SignatureScheme, bytes: Uint8Array) {
  if (scheme.kind === 'pure') return { data: bytes };
  return { digest: { [scheme.hash]: createHash(scheme.hash).update(bytes).digest() } };
}

function unusable(resource: string, code: 'KEY_NOT_FOUND' | 'KEY_UNSUITABLE', sentence: string): KeyDescription {
  const state: KeyState = { kind: 'unusable', code, sentence };
  return { resource, state, keys: [] };
}
