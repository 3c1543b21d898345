import { createHash } from 'node:crypto';
import { EvidenceError } from '../../evidence-error.ts';
import type { HashAlgorithm, SignatureScheme } from '../../sigstore/key/key.ts';
import { decodeBase64 } from '../../text/base64.ts';
import { kmsFailure } from '../failure.ts';
import type { KeyDescription, KeyManager, KeyReference } from '../managed-key.ts';
import { matchingScheme } from '../matching-scheme.ts';
import { askVault, type VaultAnswer } from './api.ts';
import { parseVaultKey, type VaultKey } from './key-uri.ts';
import type { Environment } from './settings.ts';
import { readVersions, type VaultVersions } from './versions.ts';

/**
 * The transit engine of Vault or OpenBao, over its HTTP API. All versions of a key that are still good are its keys; its
 * newest signs. To verify or sign costs one request more than to describe.
 */
export function createVaultKeyManager(env: Environment = process.env): KeyManager {
  const look = async (key: VaultKey, signal: AbortSignal) => {
    const answer = await askVault(key, { operation: 'keys' }, env, signal);
    return { resource: answer.resource, ...versionsOf(answer) };
  };
  return {
    async describe(reference, signal): Promise<KeyDescription> {
      const { resource, state, versions } = await look(keyOf(reference), signal);
      const numbers = versions.map(({ version }) => version);
      const which = numbers.length === 0 ? '' : ` version ${numbers.join(', ')}`;
      return { resource: `${resource}${which}`, state, keys: versions.map(({ key }) => key) };
    },

    async verify(reference, key, signed, signature, signal) {
      const vaultKey = keyOf(reference);
      const { versions } = await look(vaultKey, signal);
      const version = versions.find((candidate) => candidate.key.keyId === key.keyId)?.version;
      const scheme = matchingScheme(key, signed, signature);
      if (version === undefined || scheme === undefined) return false;
      const body = { ...inputOf(scheme, signed), signature: `vault:v${version}:${base64(signature)}` };
      const answer = await askVault(vaultKey, { operation: 'verify', body }, env, signal);
      const valid = answer.kind === 'data' ? answer.data['valid'] : false;
      if (typeof valid !== 'boolean') throw kmsFailure('misbehaved', answer.call, 'no word whether it is valid');
      return valid;
    },

    async sign(reference, bytes, signal) {
      const vaultKey = keyOf(reference);
      const { state, versions } = await look(vaultKey, signal);
      if (state.kind === 'unusable') throw new EvidenceError(state.code, state.sentence, { retryable: false });
      const newest = versions[0];
      const scheme = newest?.key.schemes[0];
      if (newest === undefined || scheme === undefined) throw new Error('expected a usable key to have a version');
      const body = { ...inputOf(scheme, bytes), key_version: newest.version };
      const answer = await askVault(vaultKey, { operation: 'sign', body }, env, signal);
      return { signature: readSignature(answer, newest.version), key: newest.key };
    },
  };
}

function keyOf(reference: KeyReference): VaultKey {
  const parsed = parseVaultKey(reference.uri);
  if (!parsed.ok) throw new Error(`expected a reference that parseKeyUri made: ${parsed.problem}`);
  return parsed.key;
}

function versionsOf(answer: VaultAnswer): VaultVersions {
  switch (answer.kind) {
    case 'data':
      return readVersions(answer.call, answer.resource, answer.data);
    case 'no-key':
      return missing(`there is no key ${answer.resource}`);
    case 'no-engine':
      return missing(`there is no transit engine for ${answer.resource}: correct TRANSIT_SECRET_ENGINE_PATH`);
  }
}

function missing(sentence: string): VaultVersions {
  return { state: { kind: 'unusable', code: 'KEY_NOT_FOUND', sentence }, versions: [] };
}

const HASHES: Readonly<Record<HashAlgorithm, string>> = {
  sha256: 'sha2-256',
  sha384: 'sha2-384',
  sha512: 'sha2-512',
};

/** Only a digest is sent, except for Ed25519, which signs the message itself. */
function inputOf(scheme: SignatureScheme, message: Uint8Array) {
  if (scheme.kind === 'pure') return { input: base64(message) };
  const prehashed = {
    input: createHash(scheme.hash).update(message).digest('base64'),
    prehashed: true,
    hash_algorithm: HASHES[scheme.hash],
  };
  switch (scheme.kind) {
    case 'ecdsa':
      return { ...prehashed, marshaling_algorithm: 'asn1' };
    case 'rsa-pkcs1':
      return { ...prehashed, signature_algorithm: 'pkcs1v15' };
    case 'rsa-pss':
      return { ...prehashed, signature_algorithm: 'pss', salt_length: 'auto' };
  }
}

/** `vault:vN:` and base64. */
function readSignature(answer: VaultAnswer, version: number): Uint8Array {
  if (answer.kind !== 'data') throw kmsFailure('fault', answer.call, 'a key that was there a moment ago');
  const text = answer.data['signature'];
  const prefix = `vault:v${version}:`;
  const bytes =
    typeof text === 'string' && text.startsWith(prefix) ? decodeBase64(text.slice(prefix.length)) : undefined;
  if (bytes === undefined) throw kmsFailure('misbehaved', answer.call, `no signature of version ${version}`);
  return bytes;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
