import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { CanarySource } from '../canary/canary.ts';
import { criClient } from '../canary/clients.ts';
import { type CanaryResult, colourOf } from '../canary/outcome.ts';
import { runCanary } from '../canary/run.ts';
import { connectCri } from '../containerd/cri.ts';
import { dumpConfiguration } from '../containerd/running.ts';
import { type DaemonSettings, daemonFindings } from '../doctor/daemon-findings.ts';
import { replaceFile } from '../host/atomic-file.ts';
import { DROP_IN, LAYOUT, SERVICE } from '../host/layout.ts';
import { messageOf } from '../log/message-of.ts';
import { confirm } from './confirm.ts';
import { backUpOf } from './containerd-change.ts';
import { applyAll, type FileChange } from './file-change.ts';
import { putLauncher, removeLauncher } from './launcher-place.ts';
import type { Plan } from './plan.ts';
import { currentRelease, makeCurrent, putRelease, removeCurrent, removeOthers } from './release.ts';
import type { ServiceManager } from './service.ts';

export interface Performance {
  readonly services: ServiceManager;
  /** What the daemon was told by the settings that are there now. */
  readonly daemon: () => Promise<DaemonSettings>;
  /** Where the daemon lends its canaries. */
  readonly canaries: () => Promise<CanarySource>;
  /** Shuts the gate although no backend has answered the daemon yet. */
  readonly withoutBackend: boolean;
  /** Leaves containerd running as it is; it reads its configuration at its next start. */
  readonly withoutRestart: boolean;
  /** Tells a person what is done now. */
  readonly tell: (step: string) => void;
}

/** For a daemon to come up and hear of the policy, and for a containerd to serve again, in ms. */
const DAEMON_MS = 20_000;
const CONTAINERD_MS = 60_000;

/**
 * Does what was planned, the daemon first and the gate last: before the daemon answers nothing is changed that containerd goes by. A step
 * that fails is taken back, and rejects with what it was. Answers what the canary saw; nothing where containerd was not restarted.
 */
export async function perform(plan: Plan, by: Performance): Promise<CanaryResult | undefined> {
  const previous = currentRelease();
  await startRelease(plan, by, previous);
  try {
    const canary = await shutGate(plan, by, previous);
    removeOthers([currentRelease(), previous]);
    return canary;
  } catch (error) {
    if (previous !== undefined && !plan.isCurrent) await goBackTo(previous, by);
    throw error;
  }
}

async function startRelease(plan: Plan, by: Performance, previous: string | undefined): Promise<void> {
  const { services } = by;
  if (!plan.isCurrent) by.tell(`release ${plan.release.version} into ${LAYOUT.releases}`);
  const place = putRelease(plan.release);
  const takeBack = applyAll(plan.daemon);
  makeCurrent(place);
  try {
    await services.reload();
    await services.enable();
    if (plan.isCurrent && plan.daemon.length === 0 && (await whatIsMissing(by)) === undefined) return;
    by.tell(`restarting ${SERVICE}`);
    await services.restart(SERVICE);
    await daemonReady(by);
  } catch (error) {
    if (previous === undefined) {
      await services.stop();
      await services.disable();
    }
    takeBack();
    if (previous === undefined) {
      removeCurrent();
      await services.reload();
    } else await goBackTo(previous, by);
    const now = previous === undefined ? 'it is gone again, and containerd was not touched' : `${previous} runs again`;
    throw new Error(`the daemon of release ${plan.release.version} does not answer; ${now}: ${messageOf(error)}`);
  }
}

async function goBackTo(previous: string, { services, tell }: Performance): Promise<void> {
  tell(`going back to ${previous}`);
  makeCurrent(previous);
  await services.reload();
  await services.restart(SERVICE);
}

async function daemonReady(by: Performance): Promise<void> {
  const deadline = Date.now() + DAEMON_MS;
  for (let missing = await whatIsMissing(by); missing !== undefined; missing = await whatIsMissing(by)) {
    if (Date.now() > deadline) throw new Error(missing);
    await delay(250);
  }
}

/** Why the daemon would refuse every pull. */
async function whatIsMissing({ daemon, withoutBackend }: Performance): Promise<string | undefined> {
  const findings = await daemonFindings(await daemon());
  const first = findings.find(
    ({ id, severity }) => severity === 'stuck' && !(withoutBackend && id === 'policy-unknown'),
  );
  const more = first?.id === 'policy-unknown' ? '; or shut the gate all the same: --without-backend' : '';
  return first && `${first.found}: ${first.fix}${more}`;
}

async function shutGate(plan: Plan, by: Performance, previous: string | undefined): Promise<CanaryResult | undefined> {
  const { configuration, release, binDir } = plan;
  if (!plan.isLauncherThere) {
    by.tell(`launcher into ${binDir}`);
    putLauncher(release.folder, binDir);
  }
  for (const { path } of configuration) by.tell(`writing ${path}`);
  let takeBack = () => {};
  let hasReadIt = false;
  try {
    backUp(configuration);
    takeBack = applyAll(configuration);
    confirm(plan.dump, await dumpConfiguration(plan.containerd));
    hasReadIt = configuration.length > 0 && !by.withoutRestart;
    return await provenGate(plan, by);
  } catch (error) {
    takeBack();
    if (previous !== undefined) putLauncher(previous, binDir);
    else if (!plan.isLauncherThere) removeLauncher(binDir);
    const again = hasReadIt ? await restartBack(plan, by) : '';
    throw new Error(`containerd's files are as they were before${again}: ${messageOf(error)}`);
  }
}

/** Has containerd read its files, and a canary say what came of it. */
async function provenGate(plan: Plan, by: Performance): Promise<CanaryResult | undefined> {
  const isChanged = plan.configuration.length > 0;
  if (by.withoutRestart) return undefined;
  if (isChanged || plan.isOutdated) await restartContainerd(plan, by);
  by.tell('canary');
  const canary = await fly(plan, by);
  // A node that was installed before, and is red for another reason, is told so and left as it is.
  if (isChanged || !plan.isCurrent || !plan.isLauncherThere) requireGreen(canary);
  return canary;
}

/** What failed first is what people have to know. */
async function restartBack(plan: Plan, by: Performance): Promise<string> {
  return await restartContainerd(plan, by).then(
    () => '',
    (error: unknown) => `, and it was not started again (${messageOf(error)})`,
  );
}

async function restartContainerd({ containerd, socket }: Plan, by: Performance): Promise<void> {
  if (containerd.service === undefined)
    throw new Error('it runs in no service of systemd: restart it by hand, and use --without-restart');
  by.tell(`restarting ${containerd.service}`);
  await by.services.restart(containerd.service);
  await containerdReady(socket);
}

async function fly({ socket }: Plan, { canaries }: Performance): Promise<CanaryResult> {
  const client = criClient(socket);
  try {
    return await runCanary(await canaries(), client);
  } finally {
    client.close();
  }
}

function requireGreen({ outcome, steps, cure }: CanaryResult): void {
  if (colourOf(outcome) === 'green') return;
  throw new Error(`the canary is not green, ${outcome}: ${steps.at(-1)?.sentence ?? ''}; ${cure}`);
}

/** What others wrote is kept beside it, as it was before the first change. */
function backUp(configuration: readonly FileChange[]): void {
  for (const { path, before } of configuration) {
    const copy = backUpOf(path);
    if (before !== undefined && basename(path) !== DROP_IN && !existsSync(copy)) replaceFile(copy, before);
  }
}

async function containerdReady(socket: string): Promise<void> {
  const deadline = Date.now() + CONTAINERD_MS;
  for (;;) {
    const cri = connectCri(socket);
    try {
      await cri.version();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw new Error(`containerd does not serve at ${socket}: ${messageOf(error)}`);
      await delay(250);
    } finally {
      cri.close();
    }
  }
}
