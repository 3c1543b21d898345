import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { plainJson, plainText } from '../../workflows/format/plain-text.ts';
import type { ChosenDigest } from '../bootstrap/proposal.ts';
import { lentCanaries } from '../canary/lent.ts';
import { type CanaryResult, colourOf } from '../canary/outcome.ts';
import { readNodeSettings } from '../configuration.ts';
import { examine } from '../doctor/examine.ts';
import { readBounded } from '../host/bounded-file.ts';
import { LAYOUT } from '../host/layout.ts';
import { diffOf } from '../install/file-change.ts';
import { learntList } from '../install/learnt-list.ts';
import type { BootstrapListFile } from '../install/node-files.ts';
import { perform } from '../install/perform.ts';
import { type BootstrapChoice, type Plan, planInstallation } from '../install/plan.ts';
import { currentRelease, ownRelease } from '../install/release.ts';
import { systemd } from '../install/service.ts';
import { parseChoices } from './bootstrap-learn.ts';
import { printCanary } from './canary.ts';
import { daemonSettings, findContainerd, printFindings } from './findings.ts';
import { DEFAULT_GRPC_SOCKET, wrongUsage } from './options.ts';

const HELP = `Puts portcullis on this node and shuts the gate: from then on containerd asks for every pull.

Usage: portcullis install --verdict-keys PATH --temporal HOST:PORT --bootstrap learn [OPTIONS]
       portcullis install [OPTIONS]          upgrades, or goes back: what is not given stays as it is

  --verdict-keys PATH       public key of the workers' verdicts, or a folder of them; copied to ${LAYOUT.verdictKeys}
  --temporal HOST:PORT      where Temporal is
  --env FILE                what the Temporal CLI needs besides, as NAME=VALUE lines (TEMPORAL_NAMESPACE, TEMPORAL_TLS_*, ...)
  --bootstrap WHAT          digests that need no backend: "learn" proposes them from this node, FILE.list is a list, "none" does without
  --image NAME              with learn: another image that has to start without a backend; may be given more than once
  --digest NAME@DIGEST      with learn: of a name that has several digests on this node, the one that is meant; may be given more than once
  --learnt FINGERPRINT      with learn: writes the list that was shown with this fingerprint; without it the list is shown and not written
  --containerd BINARY       guard this containerd instead of the one that runs
  --containerd-config FILE  the configuration that it gets (default /etc/containerd/config.toml)
  --without-backend         shut the gate although no worker has been heard of: nothing but listed images is pulled until then
  --without-restart         leave containerd running: it reads its configuration at its next start
  --dry-run                 say what would be done, and do nothing
  --output text|json        (default text)

It shows every change as a diff. The daemon comes first; when it answers, and has heard of the policy, the launcher is put into containerd's
folder of verifiers, a file of ours beside containerd's configuration, and containerd is restarted (running containers go on). Then doctor
and canary have the last word. A step that fails is taken back. Run it again at any time: it changes what is different, and nothing else.
The former release stays on the node: run its own "install" to go back.

Exit code 0: installed, nothing opens the gate, the canary is green. 1: refused before anything was changed, or doctor or canary are not
content. 3: a step failed and was taken back. The reasons say what to do.`;

const TEXT = { type: 'string' } as const;
const FLAG = { type: 'boolean', default: false } as const;
const MANY: { readonly type: 'string'; readonly multiple: true; readonly default: string[] } = {
  ...{ type: 'string', multiple: true, default: [] },
};

const OPTIONS = {
  'verdict-keys': TEXT,
  temporal: TEXT,
  env: TEXT,
  bootstrap: TEXT,
  image: MANY,
  digest: MANY,
  learnt: TEXT,
  containerd: TEXT,
  'containerd-config': TEXT,
  'without-backend': FLAG,
  'without-restart': FLAG,
  'dry-run': FLAG,
  output: { type: 'string', default: 'text' },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

export const installCommand = {
  help: HELP,
  async run(args: readonly string[]): Promise<number> {
    const { values } = parseArgs({ args: [...args], options: OPTIONS });
    if (values.output !== 'text' && values.output !== 'json') {
      return wrongUsage('install', '--output: expected text or json');
    }
    if (values.temporal !== undefined && !/^\S+:\d{1,5}$/.test(values.temporal)) {
      return wrongUsage('install', '--temporal: expected HOST:PORT');
    }
    const chosen = parseChoices(values.digest);
    if (chosen === undefined) return wrongUsage('install', '--digest: expected NAME@sha256:<64 hex digits>');
    const release = ownRelease();
    const containerd = await findContainerd(values.containerd, values['containerd-config']);
    if (containerd === undefined) {
      console.error('portcullis install: no containerd runs here; name one with --containerd and --containerd-config');
      return 3;
    }
    const plan = await planInstallation(
      release,
      containerd,
      { verdictKeys: values['verdict-keys'], temporal: values.temporal, environmentFile: values.env },
      bootstrapBy(values, chosen),
    );
    const isJson = values.output === 'json';
    if (!isJson) printPlan(plan);
    const services = systemd();
    const refusals = [
      ...plan.refusals,
      ...(process.getuid?.() === 0 ? [] : ['only root can install: run it with sudo']),
      ...(services === undefined
        ? ['no systemd runs here, and nothing else is known that would keep the daemon running']
        : []),
    ];
    if (values['dry-run'] || refusals.length > 0 || services === undefined) {
      if (isJson) console.log(plainJson({ ...summaryOf(plan), done: false, refusals }, 2));
      for (const refusal of refusals) console.error(`portcullis install: refused: ${plainText(refusal)}`);
      return refusals.length > 0 ? 1 : 0;
    }
    process.umask(0o022); // folders get the modes that they are made with, whatever the caller's mask is
    const before = currentRelease();
    const canary = await perform(plan, {
      services,
      daemon: () => daemonSettings(undefined),
      canaries: async () => lentCanaries((await readNodeSettings(undefined))['grpc-socket'] ?? DEFAULT_GRPC_SOCKET),
      withoutBackend: values['without-backend'],
      withoutRestart: values['without-restart'],
      tell: (step) => console.error(`- ${plainText(step)}`),
    });
    return await lastWord(plan, before, canary, isJson);
  },
};

function bootstrapBy({ bootstrap, image, learnt }: Values, chosen: readonly ChosenDigest[]): BootstrapChoice {
  if (bootstrap === undefined || bootstrap === 'none') return bootstrap;
  if (bootstrap !== 'learn') return () => givenList(bootstrap);
  return (from) => learntList(from, { images: image, chosen, read: learnt });
}

const MAX_LIST_BYTES = 1024 * 1024;

async function givenList(path: string): Promise<BootstrapListFile> {
  const name = basename(path);
  if (!/^[^.].*\.list$/.test(name)) throw new Error(`--bootstrap: expected a file that ends in .list, found ${name}`);
  return { name, text: (await readBounded(path, MAX_LIST_BYTES)).toString('utf8'), isLearnt: false, refusals: [] };
}

function summaryOf({
  release,
  distribution,
  containerd,
  binDir,
  daemon,
  configuration,
  isCurrent,
  isLauncherThere,
  notes,
}: Plan) {
  const files = [...daemon, ...configuration].map(({ path }) => path);
  const isChanged = !isCurrent || !isLauncherThere || files.length > 0;
  // Everything else is written by this program; a list is trusted for what it says.
  const lists = daemon.filter(({ path }) => path.endsWith('.list')).map(({ path, after }) => ({ path, text: after }));
  return {
    release: release.version,
    distribution: distribution.name,
    containerd,
    binDir,
    isChanged,
    files,
    lists,
    notes,
  };
}

function printPlan(plan: Plan): void {
  const { release, containerd, distribution, binDir } = plan;
  console.log(
    `portcullis ${release.version} for ${containerd.binary} with ${plainText(containerd.config)} (${distribution.name})`,
  );
  for (const note of [distribution.hint ?? [], plan.notes].flat()) console.log(`note: ${plainText(note)}`);
  for (const change of [...plan.daemon, ...plan.configuration]) {
    console.log(`\n${diffOf(change).trimEnd().split('\n').map(plainText).join('\n')}`);
  }
  const steps = [
    ...(plan.isCurrent ? [] : [`${LAYOUT.current} -> ${LAYOUT.releases}/${release.version}`]),
    ...(plan.isLauncherThere ? [] : [`${binDir}/portcullis-verifier`]),
  ];
  for (const step of steps) console.log(step);
  if (!summaryOf(plan).isChanged) console.log('nothing to change');
}

/** What counts in the end is not what was written but what doctor and canary see. */
async function lastWord(
  plan: Plan,
  before: string | undefined,
  canary: CanaryResult | undefined,
  isJson: boolean,
): Promise<number> {
  const findings = await examine((await findContainerd()) ?? plan.containerd, await daemonSettings(undefined));
  if (isJson) console.log(plainJson({ ...summaryOf(plan), done: true, findings, canary }, 2));
  else {
    printFindings(findings);
    if (canary === undefined) console.log('no canary: containerd reads its configuration at its next start');
    else printCanary(canary);
    const now = currentRelease();
    if (before !== undefined && before !== now) console.log(`to go back: ${before}/portcullis install`);
  }
  const isGreen = canary === undefined || colourOf(canary.outcome) === 'green';
  const isGood = isGreen && findings.every(({ severity }) => severity === 'weak');
  return isGood ? 0 : 1;
}
