import { createPublicKey, type KeyObject } from 'node:crypto';
import type { DescribeKeyCommandOutput, GetPublicKeyCommandOutput } from '@aws-sdk/client-kms';
import { describeKey, type VerificationKey } from '../../sigstore/key/key.ts';
import { quote } from '../../text/quote.ts';
import { kmsFailure } from '../failure.ts';
import type { KeyState } from '../managed-key.ts';
import { AWS_KEY_SPECS, algorithmsOf } from './algorithm.ts';
import { serviceName } from './calls.ts';
import { type AwsKey, parseAwsKey } from './key-uri.ts';

/** What DescribeKey said of a key, of the right shape, and about the key that was asked for. */
export interface AwsKeyMetadata {
  /** The key itself by its ARN, whatever it was asked for by. */
  readonly key: AwsKey;
  readonly state: string;
  readonly usage: string;
  readonly spec: string;
  readonly algorithms: readonly string[];
}

/** Throws KMS_MISBEHAVED. */
export function readMetadata({ KeyMetadata: found }: DescribeKeyCommandOutput, asked: AwsKey): AwsKeyMetadata {
  const { Arn, KeyState, KeyUsage, KeySpec, SigningAlgorithms = [] } = found ?? {};
  const texts: readonly unknown[] = [Arn, KeyState, KeyUsage, KeySpec, ...SigningAlgorithms];
  const whole = texts.every((text) => typeof text === 'string' && text.length > 0 && text.length <= 2048);
  if (!whole || Arn === undefined || KeyState === undefined || KeyUsage === undefined || KeySpec === undefined) {
    throw misbehaved(asked, 'kms:DescribeKey', 'an answer without the ARN, state, usage or spec of a key');
  }
  const parsed = parseAwsKey(`awskms://${asked.endpoint ?? ''}/${Arn}`);
  if (!parsed.ok || parsed.key.isAlias || parsed.key.region === undefined) {
    throw misbehaved(asked, 'kms:DescribeKey', 'something else than the ARN of a key');
  }
  if (!isMeant(asked, Arn)) throw misbehaved(asked, 'kms:DescribeKey', `another key: ${Arn}`);
  return { key: parsed.key, state: KeyState, usage: KeyUsage, spec: KeySpec, algorithms: SigningAlgorithms };
}

/** An alias means any key of its own account and region; an id or ARN means one. */
function isMeant({ keyId, isAlias }: AwsKey, arn: string): boolean {
  if (!keyId.startsWith('arn:')) return isAlias || arn.toLowerCase().endsWith(`:key/${keyId.toLowerCase()}`);
  return isAlias ? arn.startsWith(keyId.slice(0, keyId.indexOf(':alias/') + 1)) : arn === keyId;
}

/** AWS KMS developer guide, "Key states of AWS KMS keys". What is not in it yet is not good. */
export function stateOf({ key, state, usage, spec, algorithms }: AwsKeyMetadata): KeyState {
  const name = `the key ${key.keyId}`;
  switch (state) {
    case 'Enabled':
      break;
    case 'Disabled':
      return unusable('KEY_DISABLED', `${name} is disabled in AWS KMS`);
    case 'PendingDeletion':
    case 'PendingReplicaDeletion':
      return unusable('KEY_PENDING_DELETION', `${name} is scheduled for deletion in AWS KMS (${state})`);
    default:
      return unusable('KEY_UNAVAILABLE', `AWS KMS can't use ${name} in the state ${quote(state)}`);
  }
  if (usage !== 'SIGN_VERIFY') {
    return unusable('KEY_UNSUITABLE', `${name} is for ${quote(usage)}, expected SIGN_VERIFY`);
  }
  const known = algorithmsOf(spec, algorithms);
  if (known === undefined) {
    return unusable(
      'KEY_UNSUITABLE',
      `${name} is of the spec ${quote(spec)}, expected one of ${AWS_KEY_SPECS.join(', ')}`,
    );
  }
  if (known.algorithms.length > 0) return { kind: 'usable' };
  const listed = algorithms.length === 0 ? 'none' : quote(algorithms.join(', '));
  return unusable('KEY_UNSUITABLE', `${name} signs by no algorithm that is judged here, found ${listed}`);
}

function unusable(code: Extract<KeyState, { kind: 'unusable' }>['code'], sentence: string): KeyState {
  return { kind: 'unusable', code, sentence };
}

/** A public key as GetPublicKey gave it, and whose it is. */
export interface AwsPublicKey {
  readonly arn: string;
  /** As the key alone says; by what it may sign, the metadata say. */
  readonly key: VerificationKey;
}

/** Throws KMS_MISBEHAVED. */
export function readPublicKey({ KeyId, PublicKey }: GetPublicKeyCommandOutput, asked: AwsKey): AwsPublicKey {
  const fail = (what: string) => misbehaved(asked, 'kms:GetPublicKey', what);
  if (typeof KeyId !== 'string' || !isMeant(asked, KeyId)) throw fail(`the public key of ${KeyId ?? 'no key'}`);
  const publicKey = importSpki(PublicKey);
  if (publicKey === undefined) throw fail('something else than a DER public key');
  const described = describeKey(publicKey);
  if (!described.ok) throw fail(described.problem);
  return { arn: KeyId, key: described.key };
}

/** The key with the ways in which it may sign. It has to be of the spec that DescribeKey told. Throws KMS_MISBEHAVED. */
export function verificationKey({ key }: AwsPublicKey, metadata: AwsKeyMetadata): VerificationKey {
  const { spec, algorithms } = metadata;
  const known = algorithmsOf(spec, algorithms);
  if (known?.is === key.algorithm) return { ...key, schemes: known.algorithms.map(({ scheme }) => scheme) };
  const found = `a key of another algorithm: ${key.algorithm} under the spec ${spec}`;
  throw misbehaved(metadata.key, 'kms:GetPublicKey', found);
}

/** OpenSSL ignores what follows the key; what it writes back does not have it, so a key has one id. */
function importSpki(der: Uint8Array | undefined): KeyObject | undefined {
  if (der === undefined) return undefined;
  try {
    const key = createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' });
    return key.export({ type: 'spki', format: 'der' }).equals(der) ? key : undefined;
  } catch {
    return undefined;
  }
}

function misbehaved(key: AwsKey, permission: string, found: string) {
  return kmsFailure('misbehaved', { service: serviceName(key), permission, key: key.keyId }, found);
}
