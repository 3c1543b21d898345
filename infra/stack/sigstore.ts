import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startCtLog } from './sigstore/ct-log.ts';
import { startFulcio } from './sigstore/fulcio.ts';
import { type KeylessCosign, useKeylessCosign } from './sigstore/keyless-cosign.ts';
import { type OidcIssuer, startOidcIssuer } from './sigstore/oidc-issuer.ts';
import { startRekor } from './sigstore/rekor.ts';
import { startRekorV1 } from './sigstore/rekor-v1.ts';
import type { SigstoreServices } from './sigstore/services.ts';
import { startTimestampAuthority } from './sigstore/timestamp-authority.ts';
import { trustRootYaml } from './sigstore/trust-root.ts';

/** A whole Sigstore of one's own: identities, certificates, logs, timestamps, and cosign to sign by them. */
export interface Sigstore extends SigstoreServices {
  readonly dir: string;
  readonly issuer: OidcIssuer;
  readonly cosign: KeylessCosign;
  /** Its services as the `TrustRoot` of that name, to lie beside policies. */
  trustRootYaml(name: string): Promise<string>;
  stop(): Promise<void>;
}

export interface SigstoreOptions {
  /** A folder for all of it: made if it is not there, and only removed by its owner. */
  readonly dir: string;
  /** Also start a log of the first generation, which what cosign 2 writes is logged in. */
  readonly rekorV1?: boolean;
}

/** Starts every service on a free port of loopback. What was started is stopped when a later one does not come up. */
export async function startSigstore(options: SigstoreOptions): Promise<Sigstore> {
  const { dir } = options;
  await mkdir(dir, { recursive: true });
  await using started = new AsyncDisposableStack();
  const keep = <T extends { stop(): Promise<void> }>(service: T): T => {
    started.defer(() => service.stop());
    return service;
  };
  const authority = async () => {
    const [issuer, ctLog] = await all([startOidcIssuer().then(keep), startCtLog(dir).then(keep)]);
    return { issuer, ctLog, fulcio: keep(await startFulcio({ dir, issuer, ctLog })) };
  };
  const [{ issuer, ctLog, fulcio }, rekor, rekorV1, timestampAuthority] = await all([
    authority(),
    startRekor(dir).then(keep),
    options.rekorV1 === true ? startRekorV1(dir).then(keep) : undefined,
    startTimestampAuthority(dir).then(keep),
  ]);
  const services: SigstoreServices = { fulcio, ctLog, rekor, rekorV1, timestampAuthority };
  const cosign = await useKeylessCosign(join(dir, 'cosign'), services);
  const running = started.move();
  return {
    ...services,
    ...{ dir, issuer, cosign },
    trustRootYaml: (name) => trustRootYaml(name, services),
    stop: () => running.disposeAsync(),
  };
}

/** Waits for all of them even when one rejects, so that none is left behind that is still starting. */
async function all<const T extends readonly unknown[]>(parts: T): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(parts);
  return await Promise.all(parts);
}
