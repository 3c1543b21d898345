import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { obtain } from '../../tools/obtain.ts';
import { freePorts } from '../ports.ts';
import { type ServerProcess, startServer } from '../process.ts';
import type { CtLog } from './ct-log.ts';
import type { OidcIssuer } from './oidc-issuer.ts';

/** A certificate authority for signers that prove who they are by an identity token. */
export interface Fulcio extends ServerProcess {
  readonly url: string;
  /** File of the certificate chain, PEM. */
  readonly chain: string;
}

export interface FulcioOptions {
  readonly dir: string;
  readonly issuer: OidcIssuer;
  readonly ctLog: CtLog;
}

/** Starts Fulcio with a new certificate authority that lives as long as the process. */
export async function startFulcio({ dir, issuer, ctLog }: FulcioOptions): Promise<Fulcio> {
  const [port, grpcPort, metricsPort] = await freePorts(3);
  const url = `http://127.0.0.1:${port}`;
  const config = join(dir, 'fulcio.yaml');
  await writeFile(config, configOf(issuer));
  const { fulcio } = await obtain(['fulcio']);
  const server = await startServer({
    name: 'fulcio',
    program: fulcio,
    args: [
      ...['serve', '--ca=ephemeralca', `--config-path=${config}`, '--log_type=prod'],
      ...[`--ct-log-url=${ctLog.url}`, `--ct-log-public-key-path=${ctLog.publicKey}`],
      ...['--host=127.0.0.1', `--port=${port}`, '--grpc-host=127.0.0.1', `--grpc-port=${grpcPort}`],
      // the default is one name for the whole machine
      ...[`--metrics-port=${metricsPort}`, `--legacy-unix-domain-socket=@portcullis-fulcio-${port}`],
    ],
    dir,
    ready: async () => (await fetch(`${url}/api/v2/trustBundle`)).ok,
  });
  const chain = join(dir, 'fulcio.pem');
  await writeFile(chain, await readChain(url));
  return { ...server, url, chain };
}

/** Not as JSON, which Fulcio reads with other names. */
function configOf({ url, workflowUrl }: OidcIssuer): string {
  const issuer = (at: string, type: string) =>
    `  ${at}:\n    issuer-url: ${at}\n    client-id: sigstore\n    type: ${type}\n`;
  return `oidc-issuers:\n${issuer(url, 'email')}${issuer(workflowUrl, 'github-workflow')}`;
}

async function readChain(url: string): Promise<string> {
  const answer = await fetch(`${url}/api/v2/trustBundle`);
  // fulcio's own answer (fulcio.proto, TrustBundle)
  const { chains } = (await answer.json()) as { chains: { certificates: string[] }[] };
  return chains.flatMap(({ certificates }) => certificates.map((certificate) => `${certificate.trim()}\n`)).join('');
}
