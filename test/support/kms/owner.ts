import {
  CancelKeyDeletionCommand,
  CreateAliasCommand,
  CreateKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  type KeySpec,
  KMSClient,
  ScheduleKeyDeletionCommand,
  SignCommand,
  type SigningAlgorithmSpec,
  UpdateAliasCommand,
} from '@aws-sdk/client-kms';

/** The variables that a process needs to ask a KMS that runs here, this one or a child such as cosign. */
export function kmsEnvironment(url: string): Readonly<Record<string, string>> {
  return {
    AWS_ENDPOINT_URL_KMS: url,
    AWS_REGION: 'eu-west-1',
    AWS_ACCESS_KEY_ID: 'AKIDWORKER',
    AWS_SECRET_ACCESS_KEY: 'not-a-secret',
    AWS_EC2_METADATA_DISABLED: 'true',
  };
}

export interface OwnedKey {
  readonly id: string;
  readonly arn: string;
  readonly algorithms: readonly string[];
}

/** Who owns the keys: makes them, signs with them, and takes them away. By the SDK, so that it works on every KMS. */
export class KmsOwner {
  readonly #client: KMSClient;

  constructor(url: string) {
    const credentials = { accessKeyId: 'AKIDOWNER', secretAccessKey: 'not-a-secret' };
    this.#client = new KMSClient({ endpoint: url, region: 'eu-west-1', credentials });
  }

  /** Rejects with the error of the service where it does not know the spec. */
  async create(spec: string): Promise<OwnedKey> {
    const KeySpec = spec as KeySpec; // the service says which ones it knows
    const { KeyMetadata: made } = await this.#client.send(new CreateKeyCommand({ KeySpec, KeyUsage: 'SIGN_VERIFY' }));
    if (made?.KeyId === undefined || made.Arn === undefined) throw new Error('expected a key');
    return { id: made.KeyId, arn: made.Arn, algorithms: made.SigningAlgorithms ?? [] };
  }

  async name(alias: string, { id }: OwnedKey): Promise<void> {
    await this.#client.send(new CreateAliasCommand({ AliasName: alias, TargetKeyId: id }));
  }

  async rename(alias: string, { id }: OwnedKey): Promise<void> {
    await this.#client.send(new UpdateAliasCommand({ AliasName: alias, TargetKeyId: id }));
  }

  async enable({ id: KeyId }: OwnedKey): Promise<void> {
    await this.#client.send(new EnableKeyCommand({ KeyId }));
  }

  async disable({ id: KeyId }: OwnedKey): Promise<void> {
    await this.#client.send(new DisableKeyCommand({ KeyId }));
  }

  async scheduleDeletion({ id: KeyId }: OwnedKey): Promise<void> {
    await this.#client.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }));
  }

  async cancelDeletion({ id: KeyId }: OwnedKey): Promise<void> {
    await this.#client.send(new CancelKeyDeletionCommand({ KeyId }));
  }

  async sign({ id: KeyId }: OwnedKey, algorithm: string, Message: Uint8Array): Promise<Uint8Array> {
    const SigningAlgorithm = algorithm as SigningAlgorithmSpec; // as the key lists it
    const made = await this.#client.send(new SignCommand({ KeyId, Message, MessageType: 'RAW', SigningAlgorithm }));
    if (made.Signature === undefined) throw new Error('expected a signature');
    return made.Signature;
  }

  close(): void {
    this.#client.destroy();
  }
}
