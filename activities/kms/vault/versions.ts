import { createPublicKey, type KeyObject } from 'node:crypto';
import { isRecord } from '../../../workflows/format/record.ts';
import { MAX_KEY_VERSIONS } from '../../limits.ts';
import { describeKey, type KeyResult, parsePublicKey, type VerificationKey } from '../../sigstore/key/key.ts';
import { decodeBase64 } from '../../text/base64.ts';
import { quote } from '../../text/quote.ts';
import { type Call, kmsFailure } from '../failure.ts';
import type { KeyState } from '../managed-key.ts';
import { rsaSchemes } from '../rsa-schemes.ts';

/** One version of a transit key. */
export interface VaultVersion {
  readonly version: number;
  readonly key: VerificationKey;
}

/** What an answer to `GET keys/NAME` says: the versions that are still good, newest first; none unless it is usable. */
export interface VaultVersions {
  readonly state: KeyState;
  readonly versions: readonly VaultVersion[];
}

const KINDS = /^(?:ecdsa-p(?:256|384|521)|ed25519|rsa-(?:2048|3072|4096))$/;
/** SubjectPublicKeyInfo of Ed25519 up to the 32 bytes of the key itself (RFC 8410 section 4). */
const ED25519_SPKI = Buffer.from('302a300506032b6570032100', 'hex');

/**
 * A version below `min_decryption_version` verifies nothing any more in Vault, and neither here: that is how an owner
 * revokes one. Throws KMS_MISBEHAVED for what is no answer.
 */
export function readVersions(call: Call, resource: string, data: Readonly<Record<string, unknown>>): VaultVersions {
  const { type, keys, min_decryption_version: oldest } = data;
  if (typeof type !== 'string' || !isRecord(keys) || !Number.isSafeInteger(oldest)) {
    throw kmsFailure('misbehaved', call, 'no type, keys or min_decryption_version');
  }
  if (!KINDS.test(type)) {
    return unusable('KEY_UNSUITABLE', `the key ${resource} is of type ${quote(type)}, expected ecdsa, rsa or ed25519`);
  }
  if (data['derived'] === true) {
    return unusable('KEY_UNSUITABLE', `the key ${resource} is derived anew for each context, expected one of its own`);
  }
  // OpenBao's milder deletion, which can be undone
  if (data['soft_deleted'] === true)
    return unusable('KEY_DISABLED', `the key ${resource} is deleted for the time being`);
  const versions = Object.entries(keys)
    .map(([number, entry]) => readVersion(call, number, entry))
    .filter(({ version }) => version >= Number(oldest))
    .sort((one, other) => other.version - one.version)
    .slice(0, MAX_KEY_VERSIONS);
  if (versions.length === 0) return unusable('KEY_DISABLED', `no version of the key ${resource} is good any more`);
  return { state: { kind: 'usable' }, versions };
}

function readVersion(call: Call, number: string, entry: unknown): VaultVersion {
  const text = isRecord(entry) ? entry['public_key'] : undefined;
  if (!/^[1-9]\d{0,8}$/.test(number) || typeof text !== 'string') {
    throw kmsFailure('misbehaved', call, 'a version without a public key');
  }
  const result = readKey(text);
  if (!result.ok) throw kmsFailure('misbehaved', call, `no good public key of version ${number}: ${result.problem}`);
  const { key } = result;
  const chosen = key.publicKey.asymmetricKeyType === 'rsa' ? { ...key, schemes: rsaSchemes('sha256') } : key;
  return { version: Number(number), key: chosen };
}

/** PEM, but Ed25519 as the 32 bytes in base64. */
function readKey(text: string): KeyResult {
  if (text.startsWith('-----')) return parsePublicKey(text);
  const raw = decodeBase64(text);
  const key = raw?.length === 32 ? importEd25519(raw) : undefined;
  return key === undefined ? { ok: false, problem: 'expected PEM, or 32 bytes in base64' } : describeKey(key);
}

function importEd25519(raw: Buffer): KeyObject {
  return createPublicKey({ key: Buffer.concat([ED25519_SPKI, raw]), format: 'der', type: 'spki' });
}

function unusable(code: 'KEY_UNSUITABLE' | 'KEY_DISABLED', sentence: string): VaultVersions {
  return { state: { kind: 'unusable', code, sentence }, versions: [] };
}
