import { createHash } from 'node:crypto';
import type { KeyVaultKey } from '@azure/keyvault-keys';
import { EvidenceError } from '../../evidence-error.ts';
import type { SignatureScheme, VerificationKey } from '../../sigstore/key/key.ts';
import { fromDer, toDer } from '../ecdsa-encoding.ts';
import { kmsFailure } from '../failure.ts';
import type { KeyDescription, KeyManager, KeyReference } from '../managed-key.ts';
import { matchingScheme } from '../matching-scheme.ts';
import { type AzureApi, type AzureSettings, azureCall, createAzureApi } from './api.ts';
import { describeAzureKey } from './description.ts';
import { type AzureKey, parseAzureKey } from './key-uri.ts';

/**
 * Azure Key Vault and managed HSMs, by their official client and the default credential chain. One version is the key: the
 * one that is named, else the newest. One request describes a key, a second one says of a missing key whether it is deleted.
 */
export function createAzureKeyManager(settings: AzureSettings = {}): KeyManager {
  const api = createAzureApi(settings);
  const now = settings.now ?? (() => new Date());
  const look = (reference: KeyReference, signal: AbortSignal) => lookUp(api, reference, now(), signal);
  return {
    describe: async (reference, signal) => (await look(reference, signal)).description,

    async verify(reference, key, signed, signature, signal) {
      const { description, found } = await look(reference, signal);
      const scheme = matchingScheme(key, signed, signature);
      const isSame = description.keys.some(({ keyId }) => keyId === key.keyId);
      if (found === undefined || scheme === undefined || !isSame) return false;
      const { algorithm, digest } = requestOf(scheme, key, signed);
      const raw = scheme.kind === 'ecdsa' ? fromDer(signature, coordinateBytes(key)) : signature;
      if (raw === undefined) return false;
      const { result } = await api.cryptography('verify', found, signal, (client, abortSignal) =>
        client.verify(algorithm, digest, raw, { abortSignal }),
      );
      return result;
    },

    async sign(reference, bytes, signal) {
      const { description, found } = await look(reference, signal);
      const { state } = description;
      if (state.kind === 'unusable') throw new EvidenceError(state.code, state.sentence, { retryable: false });
      const [key] = description.keys;
      const scheme = key?.schemes[0];
      if (found === undefined || key === undefined || scheme === undefined)
        throw new Error('expected a key to sign with');
      const { algorithm, digest } = requestOf(scheme, key, bytes);
      const { result } = await api.cryptography('sign', found, signal, (client, abortSignal) =>
        client.sign(algorithm, digest, { abortSignal }),
      );
      const signature = scheme.kind === 'ecdsa' ? toDer(result) : result;
      if (signature === undefined)
        throw kmsFailure('misbehaved', azureCall('sign', keyOf(reference)), 'no ECDSA signature');
      return { signature, key };
    },
  };
}

interface Found {
  readonly description: KeyDescription;
  readonly found: KeyVaultKey | undefined;
}

async function lookUp(api: AzureApi, reference: KeyReference, now: Date, signal: AbortSignal): Promise<Found> {
  const key = keyOf(reference);
  const { vaultUrl, name, version } = key;
  const asked = `${vaultUrl}/keys/${name}${version === undefined ? '' : `/${version}`}`;
  const answer = await api.key(key, signal);
  switch (answer.kind) {
    case 'key': {
      const { id = '' } = answer.key;
      // Names don't differ by case in Azure.
      const answered = id.toLowerCase();
      const found = version ?? /\/([a-z0-9]{1,64})$/.exec(answered)?.[1];
      const isAsked = found !== undefined && answered === `${vaultUrl}/keys/${name}/${found}`.toLowerCase();
      if (!isAsked) throw kmsFailure('misbehaved', azureCall('get', key), `another key: ${id}`);
      const description = describeAzureKey(answer.key, now);
      if ('problem' in description) throw kmsFailure('misbehaved', azureCall('get', key), description.problem);
      return { description, found: answer.key };
    }
    case 'deleted': {
      return missing(asked, 'KEY_PENDING_DELETION', `the key ${asked} is deleted, and will be purged`);
    }
    case 'missing':
      return missing(asked, 'KEY_NOT_FOUND', `there is no key ${asked}`);
  }
}

function missing(resource: string, code: 'KEY_PENDING_DELETION' | 'KEY_NOT_FOUND', sentence: string): Found {
  return { description: { resource, state: { kind: 'unusable', code, sentence }, keys: [] }, found: undefined };
}

const FAMILIES = { ecdsa: 'ES', 'rsa-pkcs1': 'RS', 'rsa-pss': 'PS' } as const;

/** Only a digest is sent. Names of algorithms are those of RFC 7518 section 3.1. */
function requestOf(scheme: SignatureScheme, key: VerificationKey, message: Uint8Array) {
  if (scheme.kind === 'pure') throw new Error(`expected ECDSA or RSA, found ${key.algorithm}`);
  const algorithm = `${FAMILIES[scheme.kind]}${scheme.hash.slice('sha'.length)}`;
  return { algorithm, digest: createHash(scheme.hash).update(message).digest() };
}

function coordinateBytes(key: VerificationKey): number {
  return { 'ECDSA P-256': 32, 'ECDSA P-384': 48, 'ECDSA P-521': 66 }[key.algorithm] ?? 0;
}

function keyOf(reference: KeyReference): AzureKey {
  const parsed = parseAzureKey(reference.uri);
  if (!parsed.ok) throw new Error(`expected a reference that parseKeyUri made: ${parsed.problem}`);
  return parsed.key;
}
