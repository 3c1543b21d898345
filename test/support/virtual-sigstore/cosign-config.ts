import { toPem } from './der.ts';
import type { VirtualSigstore } from './sigstore.ts';

export interface SigningChoice {
  readonly log: 'v1' | 'v2' | 'none';
  readonly timestamps: boolean;
  /** Leave out the certificate authority: signing by key. */
  readonly keyed?: boolean;
}

/** The signing config for cosign 3 (`--signing-config`), as `cosign signing-config create` writes it. */
export function signingConfigJson(
  { urls, window }: VirtualSigstore,
  { log, timestamps, keyed = false }: SigningChoice,
) {
  const service = (url: string, majorApiVersion: number) => ({
    url,
    majorApiVersion,
    validFor: { start: window.from.toISOString() },
    operator: 'virtual-sigstore',
  });
  const logs = { v1: [service(urls.rekorV1, 1)], v2: [service(urls.rekorV2, 2)], none: [] };
  return {
    mediaType: 'application/vnd.dev.sigstore.signingconfig.v0.2+json',
    ...(keyed ? {} : { caUrls: [service(urls.fulcio, 1)] }),
    ...(log === 'none' ? {} : { rekorTlogUrls: logs[log], rekorTlogConfig: { selector: 'ANY' } }),
    ...(timestamps ? { tsaUrls: [service(urls.tsa, 1)], tsaConfig: { selector: 'ANY' } } : {}),
  };
}

/** What cosign 2 trusts, each in a file whose path stands in an environment variable. */
export function trustVariables({
  root,
  intermediate,
  rekorV1,
  ctLog,
  tsa,
}: VirtualSigstore): Readonly<Record<string, string>> {
  return {
    SIGSTORE_ROOT_FILE: intermediate.pem + root.pem,
    SIGSTORE_REKOR_PUBLIC_KEY: toPem(rekorV1.key.spki, 'PUBLIC KEY'),
    SIGSTORE_CT_LOG_PUBLIC_KEY_FILE: toPem(ctLog.key.spki, 'PUBLIC KEY'),
    SIGSTORE_TSA_CERTIFICATE_FILE: tsa.leaf.pem + tsa.root.pem,
  };
}
