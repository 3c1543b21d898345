import { createPublicKey } from 'node:crypto';
import type { KeyVaultKey } from '@azure/keyvault-keys';
import { describeKey, type HashAlgorithm, type VerificationKey } from '../../sigstore/key/key.ts';
import { quote } from '../../text/quote.ts';
import type { KeyDescription, KeyState } from '../managed-key.ts';
import { rsaSchemes } from '../rsa-schemes.ts';

/** What cosign signs with by RSA keys of Azure: the longer the key, the longer the hash. */
const RSA_HASHES: Readonly<Record<string, HashAlgorithm>> = {
  'RSA 2048': 'sha256',
  'RSA 3072': 'sha384',
  'RSA 4096': 'sha512',
};
const CURVE_BYTES: Readonly<Record<string, number>> = { 'P-256': 32, 'P-384': 48, 'P-521': 66 };

/**
 * Reads a key as the client gives it. An expired key is no key here, although the service itself goes on verifying by it:
 * nothing says when a signature was made. `problem` is what keeps it from being an answer.
 */
export function describeAzureKey(found: KeyVaultKey, now: Date): KeyDescription | { readonly problem: string } {
  const resource = found.id ?? '';
  const state = stateOf(found, now);
  if (state.kind === 'unusable') return { resource, state, keys: [] };
  const read = readKey(found);
  return 'problem' in read ? read : { resource, state, keys: [read] };
}

function stateOf(found: KeyVaultKey, now: Date): KeyState {
  const name = `the key ${found.id}`;
  const { enabled, notBefore, expiresOn } = found.properties;
  if (enabled !== true) return unusable('KEY_DISABLED', `${name} is disabled`);
  if (notBefore !== undefined && now < notBefore) {
    return unusable('KEY_DISABLED', `${name} is not to be used before ${time(notBefore)}`);
  }
  if (expiresOn !== undefined && now >= expiresOn) {
    return unusable('KEY_DISABLED', `${name} expired at ${time(expiresOn)}`);
  }
  const { keyType = 'nothing', keyOperations } = found;
  if (!/^(?:EC|RSA)(?:-HSM)?$/.test(keyType) || found.key?.crv === 'P-256K') {
    const kind = found.key?.crv === 'P-256K' ? 'P-256K' : keyType;
    return unusable('KEY_UNSUITABLE', `${name} is of type ${quote(kind)}, expected ECDSA (P-256, P-384, P-521) or RSA`);
  }
  if (keyOperations !== undefined && !keyOperations.some((one) => one === 'sign' || one === 'verify')) {
    return unusable('KEY_UNSUITABLE', `${name} is neither for sign nor for verify`);
  }
  return { kind: 'usable' };
}

function readKey({ key: found }: KeyVaultKey): VerificationKey | { readonly problem: string } {
  try {
    const publicKey = createPublicKey({ key: jwkOf(found), format: 'jwk' });
    const result = describeKey(publicKey);
    if (!result.ok) return { problem: `no good public key: ${result.problem}` };
    const { key } = result;
    if (publicKey.asymmetricKeyType !== 'rsa') return { ...key, schemes: key.schemes.slice(0, 1) };
    return { ...key, schemes: rsaSchemes(RSA_HASHES[key.algorithm] ?? 'sha256') };
  } catch {
    return { problem: 'no public key' };
  }
}

function jwkOf(found: KeyVaultKey['key']): Readonly<Record<string, string>> {
  const { crv, n, e } = found ?? {};
  if (crv === undefined) return { kty: 'RSA', n: base64url(n), e: base64url(e) };
  const size = CURVE_BYTES[crv] ?? 0;
  return { kty: 'EC', crv, x: base64url(padded(found?.x, size)), y: base64url(padded(found?.y, size)) };
}

/** A coordinate has its full length, whatever the service leaves out of it. */
function padded(number: Uint8Array | undefined, size: number): Uint8Array {
  const bytes = number ?? new Uint8Array(0);
  return Buffer.concat([Buffer.alloc(Math.max(size - bytes.length, 0)), bytes]);
}

function base64url(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('base64url');
}

function time(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'an invalid time' : date.toISOString();
}

function unusable(code: 'KEY_DISABLED' | 'KEY_UNSUITABLE', sentence: string): KeyState {
  return { kind: 'unusable', code, sentence };
}
