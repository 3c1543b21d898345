import { createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { signByAlgorithm, verifyByAlgorithm } from './signing.ts';

export interface StoredKey {
  readonly id: string;
  readonly arn: string;
  readonly spec: string;
  readonly privateKey: KeyObject;
  state: string;
  usage: string;
  algorithms: readonly string[];
}

/** An error as KMS names it. */
export class KmsError extends Error {
  readonly type: string;
  constructor(type: string, message = type) {
    super(message);
    this.type = type;
  }
}

export const ACCOUNT = 'arn:aws:kms:eu-west-1:111122223333';
const RSA = ['RSASSA_PKCS1_V1_5_SHA_', 'RSASSA_PSS_SHA_'].flatMap((name) =>
  [256, 384, 512].map((size) => `${name}${size}`),
);

/** What each spec signs by, and how its pair is made (KMS developer guide, "Key spec reference"). */
const SPECS: Readonly<Record<string, { readonly algorithms: readonly string[]; make(): KeyObject }>> = {
  RSA_2048: { algorithms: RSA, make: () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey },
  RSA_3072: { algorithms: RSA, make: () => generateKeyPairSync('rsa', { modulusLength: 3072 }).privateKey },
  RSA_4096: { algorithms: RSA, make: () => generateKeyPairSync('rsa', { modulusLength: 4096 }).privateKey },
  ECC_NIST_P256: { algorithms: ['ECDSA_SHA_256'], make: () => ec('P-256') },
  ECC_NIST_P384: { algorithms: ['ECDSA_SHA_384'], make: () => ec('P-384') },
  ECC_NIST_P521: { algorithms: ['ECDSA_SHA_512'], make: () => ec('P-521') },
  ECC_SECG_P256K1: { algorithms: ['ECDSA_SHA_256'], make: () => ec('secp256k1') },
  SM2: { algorithms: ['SM2DSA'], make: () => ec('P-256') }, // only its name matters
  ECC_NIST_EDWARDS25519: {
    algorithms: ['ED25519_SHA_512', 'ED25519_PH_SHA_512'],
    make: () => generateKeyPairSync('ed25519').privateKey,
  },
  ML_DSA_44: { algorithms: ['ML_DSA_SHAKE_256'], make: () => generateKeyPairSync('ml-dsa-44').privateKey },
  ML_DSA_65: { algorithms: ['ML_DSA_SHAKE_256'], make: () => generateKeyPairSync('ml-dsa-65').privateKey },
  ML_DSA_87: { algorithms: ['ML_DSA_SHAKE_256'], make: () => generateKeyPairSync('ml-dsa-87').privateKey },
};

function ec(namedCurve: string): KeyObject {
  return generateKeyPairSync('ec', { namedCurve }).privateKey;
}

export const KMS_SPECS: readonly string[] = Object.keys(SPECS);

type Input = Readonly<Record<string, unknown>>;

/** The keys of an account, and the operations on them that portcullis, cosign and an owner use (KMS API reference). */
export class KmsStore {
  readonly keys = new Map<string, StoredKey>();
  readonly aliases = new Map<string, string>();

  find(keyId: string): StoredKey {
    const name = keyId.startsWith(`${ACCOUNT}:`) ? keyId.slice(ACCOUNT.length + 1) : keyId;
    const id = this.aliases.get(name) ?? name.replace(/^key\//, '');
    const key = this.keys.get(id);
    if (key === undefined) throw new KmsError('NotFoundException', `Key '${keyId}' does not exist`);
    return key;
  }

  run(operation: string, input: Input): object {
    if (operation === 'CreateKey') return { KeyMetadata: describe(this.#create(text(input['KeySpec']))) };
    if (operation === 'CreateAlias' || operation === 'UpdateAlias') {
      this.aliases.set(text(input['AliasName']), this.find(text(input['TargetKeyId'])).id);
      return {};
    }
    return runOnKey(operation, this.find(text(input['KeyId'])), input);
  }

  #create(spec: string): StoredKey {
    const kind = SPECS[spec];
    if (kind === undefined) throw new KmsError('ValidationException');
    const id = randomUUID();
    const { algorithms } = kind;
    const fixed = { id, arn: `${ACCOUNT}:key/${id}`, spec, privateKey: kind.make() };
    const key: StoredKey = { ...fixed, state: 'Enabled', usage: 'SIGN_VERIFY', algorithms };
    this.keys.set(id, key);
    return key;
  }
}

function runOnKey(operation: string, key: StoredKey, input: Input): object {
  const KeyId = key.arn;
  switch (operation) {
    case 'DescribeKey':
      return { KeyMetadata: describe(key) };
    case 'GetPublicKey': {
      // As AWS does, also for a key that is disabled.
      const der = createPublicKey(key.privateKey).export({ type: 'spki', format: 'der' });
      const { KeyUsage, KeySpec, SigningAlgorithms } = describe(key);
      return { KeyId, KeyUsage, KeySpec, SigningAlgorithms, PublicKey: der.toString('base64') };
    }
    case 'EnableKey':
      key.state = 'Enabled';
      return {};
    case 'DisableKey':
    case 'CancelKeyDeletion':
      key.state = 'Disabled';
      return { KeyId };
    case 'ScheduleKeyDeletion':
      key.state = 'PendingDeletion';
      return { KeyId, KeyState: key.state };
    case 'Sign':
    case 'Verify':
      return signOrVerify(operation, key, input);
    default:
      throw new KmsError('UnknownOperationException');
  }
}

function signOrVerify(operation: 'Sign' | 'Verify', key: StoredKey, input: Input): object {
  if (key.state === 'Disabled') throw new KmsError('DisabledException');
  if (key.state !== 'Enabled') throw new KmsError('KMSInvalidStateException');
  const SigningAlgorithm = text(input['SigningAlgorithm']);
  if (!key.algorithms.includes(SigningAlgorithm)) throw new KmsError('InvalidKeyUsageException');
  const message = Buffer.from(text(input['Message']), 'base64');
  const isDigest = input['MessageType'] === 'DIGEST';
  if (message.length === 0 || message.length > 4096) throw new KmsError('ValidationException');
  const KeyId = key.arn;
  if (operation === 'Sign') {
    const signature = signByAlgorithm(key.privateKey, SigningAlgorithm, message, isDigest);
    return { KeyId, SigningAlgorithm, Signature: signature.toString('base64') };
  }
  const signature = Buffer.from(text(input['Signature']), 'base64');
  if (verifyByAlgorithm(key.privateKey, SigningAlgorithm, message, isDigest, signature)) {
    return { KeyId, SigningAlgorithm, SignatureValid: true };
  }
  throw new KmsError('KMSInvalidSignatureException');
}

function describe({ id, arn, state, usage, spec, algorithms }: StoredKey) {
  const algorithm = { SigningAlgorithms: algorithms };
  return { KeyId: id, Arn: arn, KeyState: state, KeyUsage: usage, KeySpec: spec, ...algorithm };
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new KmsError('ValidationException');
  return value;
}
