import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type House, startHouse } from '../../infra/stack/house.ts';
import { startKms } from '../../infra/stack/kms.ts';
import { pushImage } from '../support/image.ts';
import { useManagedCosign } from '../support/kms/cosign.ts';
import { KmsOwner, kmsEnvironment } from '../support/kms/owner.ts';
import { managedPolicy } from '../support/kms/policy.ts';
import { type DistantServer, startDistantServer } from './distant-server.ts';
import { launcherFor, type Programs, type Subject } from './stage.ts';
import type { Program } from './timed-exec.ts';

const REPOSITORY = 'managed/app';

/** Images are signed by a key in a KMS here, as near as the registry is. */
export interface ManagedKeyStage {
  readonly house: House;
  /** Between both programs and the KMS, to count requests. */
  readonly kms: DistantServer;
  /** Pushes an image like no other and signs it by the key with real cosign. */
  signedImage(tag: string): Promise<Subject>;
  launcher(subject: Subject): Program;
  /** `cosign verify --key awskms:///...` on the same digest, with as little to do as its options allow. */
  cosignVerify(subject: Subject): Program;
  stop(): Promise<void>;
}

/** Starts everything in `dir`, a new folder of this user alone. */
export async function setUpManagedKey(dir: string, programs: Programs): Promise<ManagedKeyStage> {
  await using started = new AsyncDisposableStack();
  await mkdir(dir, { mode: 0o700 });
  const server = await startKms({ dir });
  started.defer(() => server.stop());
  const kms = await startDistantServer(new URL(server.url).host);
  started.defer(() => kms.stop());
  const env = kmsEnvironment(`http://${kms.address}`);
  const owner = new KmsOwner(server.url);
  started.defer(() => owner.close());
  const key = `awskms:///${(await owner.create('ECC_NIST_P256')).arn}`;
  const cosign = await useManagedCosign(dir, env);
  const house = await startHouse({
    ...{ dir, workerEnv: env },
    policies: async (registry) => ({
      'managed.yaml': managedPolicy('managed', `${registry}/managed/**`, key, { maxAge: '5m' }),
    }),
  });
  started.defer(() => house.stop());
  const { address } = house.registry;
  const running = started.move();
  return {
    ...{ house, kms },
    async signedImage(tag) {
      const files = { 'etc/motd': `${REPOSITORY}:${tag}\n` };
      const { name, digest } = await pushImage({ registry: address, repository: REPOSITORY, tag, files });
      await cosign.sign('cosign', `${address}/${REPOSITORY}@${digest}`, key);
      return { name, digest };
    },
    launcher: (subject) => launcherFor(programs, house, subject),
    cosignVerify: ({ digest }) => ({
      file: programs.cosign,
      args: [
        ...['verify', '--allow-http-registry', '--insecure-ignore-tlog=true', `--key=${key}`],
        // without the tag: cosign need not resolve it, as the launcher need not
        `${address}/${REPOSITORY}@${digest}`,
      ],
      cwd: dir,
      env: { ...process.env, ...env, TUF_ROOT: join(dir, 'tuf') },
      stdin: '',
    }),
    stop: () => running.disposeAsync(),
  };
}
