import { obtain } from '../tools/obtain.ts';
import { freePort } from './ports.ts';
import { type ServerProcess, startServer } from './process.ts';

export interface Kms extends ServerProcess {
  /** `http://127.0.0.1:port`, for `AWS_ENDPOINT_URL_KMS`. It believes any credentials and keeps its keys in memory. */
  readonly url: string;
}

export interface KmsOptions {
  readonly dir: string;
  /** A port that was used before, for a server that comes back; otherwise a free one. */
  readonly port?: number;
}

/** Starts a server with the API of AWS KMS on loopback, which real cosign signs with. Rejects as `startServer` does. */
export async function startKms({ dir, port }: KmsOptions): Promise<Kms> {
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
      ...{ SERVICES: 'kms', IOT_MTLS_ENABLED: '0', SFTP_ENABLED: '0', BIND_HOST: '127.0.0.1' },
      ...{ GATEWAY_PORT: String(chosen), TMPDIR: dir, S3_PERSIST: '0', LOCALSTACK_PERSISTENCE: '0', LOG_LEVEL: 'INFO' },
      DOCKER_HOST: `unix://${dir}/no-docker.sock`,
    },
    ready: async () => (await fetch(`${url}/_ministack/ready`)).ok,
  });
  return { ...server, url };
}
