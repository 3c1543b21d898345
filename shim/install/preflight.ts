import { existsSync } from 'node:fs';
import type { EffectiveConfiguration } from '../containerd/effective.ts';
import type { ContainerdVersion } from '../containerd/running.ts';
import { configurationFindings, versionFindings } from '../doctor/configuration-findings.ts';
import { keyFindings } from '../doctor/daemon-findings.ts';
import type { Finding } from '../doctor/finding.ts';
import { launcherFindings } from '../doctor/launcher-findings.ts';
import { LAYOUT } from '../host/layout.ts';
import type { Distribution } from './distribution.ts';
import { binDirOf, withDropIn } from './drop-in.ts';

/** What the node has to have when the gate shuts. Each is where it will be, or where it is now. */
export interface Provisions {
  readonly verdictKeys: string;
  /** Whether a bootstrap list is there, or comes with this command, or nobody wants one. */
  readonly hasBootstrapList: boolean;
  /** `NAME=VALUE` lines of the daemon's environment. */
  readonly environment: string;
  readonly distribution: Distribution;
}

/** Findings that are no more, once the launcher is in its folder. */
const CURED_BY_LAUNCHER: ReadonlySet<Finding['id']> = new Set<Finding['id']>([
  ...(['bin-dir-missing', 'bin-dir-empty', 'launcher-missing', 'launcher-not-executable'] as const),
]);

/**
 * Why the gate must not be shut on this node: what would lock it out, or would leave the gate open all the same. One sentence each,
 * with what to do. Nothing has been changed when they are told.
 */
export async function refusals(
  version: ContainerdVersion,
  effective: EffectiveConfiguration,
  provisions: Provisions,
): Promise<readonly string[]> {
  const { refusal, name } = provisions.distribution;
  const findings = [
    ...versionFindings(version),
    ...configurationFindings(withDropIn(effective)),
    ...(await launcherFindings(binDirOf(effective))).filter(({ id }) => !CURED_BY_LAUNCHER.has(id)),
  ];
  return [
    ...(refusal === undefined ? [] : [`${name}: ${refusal}`]),
    ...findings.filter(({ severity }) => severity !== 'weak').map(({ found, why, fix }) => `${found}: ${why}. ${fix}`),
    ...(await withoutKeys(provisions.verdictKeys)),
    ...(provisions.hasBootstrapList ? [] : [NO_LIST]),
    ...(/^TEMPORAL_ADDRESS=./m.test(provisions.environment) ? [] : [NO_TEMPORAL]),
  ];
}

const NO_LIST =
  'no bootstrap list: after a power cut of the whole cluster pause, network and Temporal itself could not be pulled; give one with --bootstrap learn (proposed from what is on this node, shown, and written when you say that you read it), --bootstrap FILE, or do without: --bootstrap none';

const NO_TEMPORAL = `no TEMPORAL_ADDRESS in ${LAYOUT.environment}: every pull would be refused; give --temporal HOST:PORT, or --env FILE with what the Temporal CLI needs`;

async function withoutKeys(path: string): Promise<readonly string[]> {
  const cure = 'give the public key of the workers with --verdict-keys FILE, as "portcullis keys init" wrote it';
  if (!existsSync(path)) return [`no verdict key: this node could not verify any verdict; ${cure}`];
  const findings = await keyFindings(path);
  // Files that are no keys say why there is none, and matter to nobody where there is one.
  const isStuck = findings.some(({ severity }) => severity === 'stuck');
  return isStuck ? findings.map(({ found }) => `${found}; ${cure}`) : [];
}
