import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { SigstoreServices } from './services.ts';

/**
 * The services as a `TrustRoot` (policy.sigstore.dev/v1alpha1, `sigstoreKeys`): the document that lies beside the
 * policies which name it. `name` is how they name it.
 */
export async function trustRootYaml(name: string, services: SigstoreServices): Promise<string> {
  const { fulcio, ctLog, rekor, rekorV1, timestampAuthority } = services;
  const tLogs = [log(rekor.url, await readFile(rekor.publicKey, 'utf8'))];
  if (rekorV1 !== undefined) tLogs.push(log(rekorV1.url, await readFile(rekorV1.publicKey, 'utf8')));
  return `apiVersion: policy.sigstore.dev/v1alpha1
kind: TrustRoot
metadata:
  name: ${name}
spec:
  sigstoreKeys:
    certificateAuthorities:
${authority(fulcio.url, await readFile(fulcio.chain, 'utf8'))}
    tLogs:
${tLogs.join('\n')}
    ctLogs:
${log(ctLog.url, await readFile(ctLog.publicKey, 'utf8'))}
    timestampAuthorities:
${authority(timestampAuthority.url, await readFile(timestampAuthority.chain, 'utf8'))}
`;
}

function log(url: string, publicKey: string): string {
  return `      - baseURL: ${url}
        hashAlgorithm: sha-256
        publicKey: ${base64(publicKey)}`;
}

function authority(url: string, chain: string): string {
  const certificates = chain.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const { subject } = new X509Certificate(certificates.at(-1) ?? '');
  const part = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(subject)?.[1] ?? '';
  // a TrustRoot has to have both, and a certificate need not
  return `      - subject:
          organization: "${part('O') || 'own'}"
          commonName: "${part('CN') || 'own'}"
        uri: ${url}
        certChain: ${base64(chain)}`;
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
