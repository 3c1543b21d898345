import { obtain } from '../tools/obtain.ts';
import { freePort } from './ports.ts';
import { type ServerProcess, startServer } from './process.ts';

export interface Kms extends ServerProcess {
  /** `http://127.0.0.1:port`, for `AWS_ENDPOINT_URL_KMS`. It keeps its keys in memory. */
  readonly url: string;
}

export interface KmsOptions {
  readonly dir: string;
  /** A port that was used before, for a server that comes back; otherwise a free one. */
  readonly port?: number;
  /**
   * Enforces IAM policies, which its IAM API at the same URL takes; this access key may do everything. Without one, any
   * credentials may.
   */
  readonly root?: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/** Starts a server with the API of AWS KMS on loopback, which real cosign signs with. Rejects as `startServer` does. */
export async function startKms({ dir, port, root }: KmsOptions): Promise<Kms> {
  const { ministack } = await obtain(['ministack']);
  const chosen = port ?? (await freePort());
  const url = `http://127.0.0.1:${chosen}`;
  const server = await startServer({
    name: 'kms',
    program: ministack,
    args: [],
    dir,
    env: {
      // It can be much more of AWS, on all addresses, with a port for MQTT and one for SFTP.
      ...(root === undefined ? { SERVICES: 'kms,sts' } : enforcing(root)),
      ...{ IOT_MTLS_ENABLED: '0', SFTP_ENABLED: '0', BIND_HOST: '127.0.0.1' },
      ...{ GATEWAY_PORT: String(chosen), TMPDIR: dir, S3_PERSIST: '0', LOCALSTACK_PERSISTENCE: '0', LOG_LEVEL: 'INFO' },
      DOCKER_HOST: `unix://${dir}/no-docker.sock`,
    },
    ready: async () => (await fetch(`${url}/_ministack/ready`)).ok,
  });
  return { ...server, url };
}

function enforcing({ accessKeyId, secretAccessKey }: NonNullable<KmsOptions['root']>) {
  const credentials = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  return { SERVICES: 'kms,iam,sts', AUTH: 'true', ...credentials };
}
