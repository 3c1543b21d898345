import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type House, startHouse } from '../../infra/stack/house.ts';
import { startRegistry } from '../../infra/stack/registry.ts';
import { type Sigstore, startSigstore } from '../../infra/stack/sigstore.ts';
import { pushImage } from '../support/image.ts';
import { type DistantServer, startDistantServer } from './distant-server.ts';
import { launcherFor, type Programs, type Subject } from './stage.ts';
import type { Program } from './timed-exec.ts';

const IDENTITY = 'bench@example.com';

/** Images are signed by identity here; registry and log stand some way off. */
export interface KeylessStage {
  readonly house: House;
  readonly registry: DistantServer;
  readonly log: DistantServer;
  /** Pushes an image like no other and signs it keyless with real cosign. */
  signedImage(repository: Repository, tag: string): Promise<Subject>;
  launcher(subject: Subject): Program;
  /** `cosign verify` on the same digest by the same identity and trust root. */
  cosignVerify(subject: Subject): Program;
  stop(): Promise<void>;
}

/** Of the first the proof in the bundle is enough; of the second the live log is asked too. */
export type Repository = 'demo/keyless/offline' | 'demo/keyless/live';

/** Starts everything in `dir`, a new folder of this user alone. */
export async function setUpKeyless(dir: string, programs: Programs): Promise<KeylessStage> {
  await using started = new AsyncDisposableStack();
  const keep = <T extends { stop(): Promise<void> }>(server: T): T => {
    started.defer(() => server.stop());
    return server;
  };
  await mkdir(dir, { mode: 0o700 });
  const sigstore = keep(await startSigstore({ dir: join(dir, 'sigstore') }));
  const near = keep(await startRegistry({ dir, kind: 'referrers' }));
  const registry = keep(await startDistantServer(near.address));
  const log = keep(await startDistantServer(new URL(sigstore.rekor.url).host));
  const policies = (address: string) => policiesOf(address, sigstore, log);
  // The house must not stop the registry before the Sigstore that writes to it: whoever started it does.
  const outside = { address: registry.address, stop: async () => undefined };
  const house = keep(await startHouse({ dir: join(dir), registry: outside, policies }));
  const running = started.move();
  const { cosign, issuer } = sigstore;
  return {
    ...{ house, registry, log },
    async signedImage(repository, tag) {
      const files = { 'etc/motd': `${repository}:${tag}\n` };
      const { name, digest } = await pushImage({ registry: registry.address, repository, tag, files });
      await cosign.sign(`${registry.address}/${repository}@${digest}`, await issuer.token(IDENTITY));
      return { name, digest };
    },
    launcher: (subject) => launcherFor(programs, house, subject),
    cosignVerify: ({ name, digest }) => ({
      file: programs.cosign,
      args: [
        ...['verify', '--allow-http-registry', `--trusted-root=${cosign.trustedRoot}`],
        ...[`--certificate-identity=${IDENTITY}`, `--certificate-oidc-issuer=${issuer.url}`],
        // without the tag: cosign need not resolve it, as the launcher need not
        `${name.slice(0, name.lastIndexOf(':'))}@${digest}`,
      ],
      cwd: dir,
      env: { ...process.env, TUF_ROOT: join(dir, 'tuf') },
      stdin: '',
    }),
    stop: () => running.disposeAsync(),
  };
}

async function policiesOf(registry: string, sigstore: Sigstore, log: DistantServer) {
  const trustRoot = await sigstore.trustRootYaml('bench');
  const policy = (name: string, repository: Repository) => `---
apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata:
  name: ${name}
spec:
  images:
    - glob: "${registry}/${repository}:**"
  authorities:
    - name: ci
      keyless:
        trustRootRef: bench
        identities:
          - issuer: ${sigstore.issuer.url}
            subject: ${IDENTITY}
      ctlog:
        trustRootRef: bench
`;
  const live = `---
apiVersion: portcullis.dev/v1alpha1
kind: AuthorityRequirement
metadata:
  name: live
spec:
  policy: live
  transparencyLog:
    mode: consistency
`;
  return {
    'trust-root.yaml': trustRoot.replaceAll(sigstore.rekor.url, `http://${log.address}`),
    'keyless.yaml': `${policy('offline', 'demo/keyless/offline')}${policy('live', 'demo/keyless/live')}${live}`,
    // Everything below demo/ would have to be signed by the house's own key too.
    'demo.yaml': policy('elsewhere', 'demo/keyless/offline').replaceAll('demo/keyless/offline', 'elsewhere'),
  };
}
