import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toPem } from '../virtual-sigstore/der.ts';
import { createVirtualSigstore, type VirtualSigstore } from '../virtual-sigstore/sigstore.ts';
import { type ChainTrust, type LogTrust, type TrustPlan, trustedRootJson } from '../virtual-sigstore/trusted-root.ts';

/** What is wrong with the trust root that evidence is verified against. */
export const TRUSTS = [
  'usual',
  'issuing authority alone',
  'another authority',
  'authority ended',
  'other logs',
  'logs ended',
  'another TSA',
  'TSA ended',
  'another CT log',
] as const;
export type Trust = (typeof TRUSTS)[number];

/** One trust root, for both programs and for us. */
export interface TrustFiles {
  readonly plan: TrustPlan;
  /** `trusted_root.json` */
  readonly file: string;
  /** What cosign 2 takes instead for legacy signatures: PEM files, by its environment and by an option. */
  readonly environment: Readonly<Record<string, string>>;
  readonly tsaFile: string;
  /** Windows of time have no place in the PEM files. */
  readonly hasWindows: boolean;
}

/** Writes every trust root into a folder. */
export async function writeTrusts(dir: string, sigstore: VirtualSigstore): Promise<ReadonlyMap<Trust, TrustFiles>> {
  const stranger = createVirtualSigstore(sigstore.now, sigstore.urls);
  const written = TRUSTS.map(async (trust, index) => {
    const prefix = join(dir, `trust-${index}`);
    return [trust, await writeTrust(prefix, planOf(trust, sigstore, stranger), trust.endsWith('ended'))] as const;
  });
  return new Map(await Promise.all(written));
}

function planOf(trust: Trust, sigstore: VirtualSigstore, stranger: VirtualSigstore): TrustPlan {
  const [plan, other] = [sigstore.trustPlan(), stranger.trustPlan()];
  const until = new Date(sigstore.now.getTime() - 3_600_000);
  const ended = <T extends ChainTrust | LogTrust>(parts: T[]): T[] =>
    parts.map((part) => ({ ...part, window: { ...part.window, until } }));
  switch (trust) {
    case 'usual':
      return plan;
    case 'issuing authority alone':
      return { ...plan, authorities: plan.authorities.map(pinned) };
    case 'another authority':
      return { ...plan, authorities: other.authorities };
    case 'authority ended':
      return { ...plan, authorities: ended(plan.authorities) };
    case 'other logs':
      return { ...plan, logs: other.logs };
    case 'logs ended':
      return { ...plan, logs: ended(plan.logs) };
    case 'another TSA':
      return { ...plan, timestampAuthorities: other.timestampAuthorities };
    case 'TSA ended':
      return { ...plan, timestampAuthorities: ended(plan.timestampAuthorities) };
    case 'another CT log':
      return { ...plan, ctLogs: other.ctLogs };
  }
}

/** Without its root: the last certificate that is left is the anchor. */
function pinned(chain: ChainTrust): ChainTrust {
  return { ...chain, certificates: chain.certificates.slice(0, -1) };
}

async function writeTrust(prefix: string, plan: TrustPlan, hasWindows: boolean): Promise<TrustFiles> {
  const file = await write(`${prefix}.json`, JSON.stringify(trustedRootJson(plan)));
  const environment = {
    SIGSTORE_ROOT_FILE: await write(`${prefix}-ca.pem`, chainsPem(plan.authorities)),
    SIGSTORE_REKOR_PUBLIC_KEY: await write(`${prefix}-log.pub`, keyPem(plan.logs)),
    SIGSTORE_CT_LOG_PUBLIC_KEY_FILE: await write(`${prefix}-ct.pub`, keyPem(plan.ctLogs)),
  };
  const tsaFile = await write(`${prefix}-tsa.pem`, chainsPem(plan.timestampAuthorities));
  return { plan, file, environment, tsaFile, hasWindows };
}

async function write(file: string, text: string): Promise<string> {
  await writeFile(file, text);
  return file;
}

function chainsPem(chains: readonly ChainTrust[]): string {
  return chains
    .flatMap(({ certificates }) => certificates)
    .map((certificate) => toPem(certificate, 'CERTIFICATE'))
    .join('');
}

/** Of the first log, which is the one that cosign 2 writes to. */
function keyPem([log]: readonly LogTrust[]): string {
  return log === undefined ? '' : toPem(log.key.spki, 'PUBLIC KEY');
}
