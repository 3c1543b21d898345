import { type EffectiveConfiguration, IMAGES, TRANSFER, VERIFIER } from '../containerd/effective.ts';
import { LAZY_EXPORT, lazySnapshotters } from '../containerd/lazy-pull.ts';
import type { ContainerdVersion } from '../containerd/running.ts';
import {
  DEFAULT_BIN_DIR,
  LEAST_TIMEOUT_MS,
  leavesTransfer,
  TRANSFER_PULL,
  type TransferPullKey,
} from '../containerd/transfer-pull.ts';
import type { Finding } from './finding.ts';

/** What a person has to know besides the value that a setting needs. */
const MORE: Readonly<Partial<Record<TransferPullKey, string>>> = {
  disable_snapshot_annotations: `; for lazy pulling [proxy_plugins.NAME.exports] ${LAZY_EXPORT} = "true"`,
  max_concurrent_downloads: `, and the number you want under [plugins."${TRANSFER}"]`,
};

/** Settings that make CRI pull by itself, without the transfer service and thereby without verifiers. */
const LOCAL_PULL: readonly {
  readonly path: string;
  readonly triggers: (value: unknown) => boolean;
  readonly line: string;
}[] = [
  ...[...TRANSFER_PULL].map(([key, wanted]) => ({
    path: key,
    triggers: (value: unknown) => leavesTransfer(value, wanted),
    line: `${key} = ${wanted}${MORE[key] ?? ''}`,
  })),
  ...['mirrors', 'configs', 'auths'].map((name) => ({
    path: `registry.${name}`,
    triggers: (value: unknown) => typeof value === 'object' && value !== null && Object.keys(value).length > 0,
    line: `remove [plugins."${IMAGES}".registry.${name}]; mirrors and certificates go into hosts.toml files under registry.config_path`,
  })),
];

/**
 * Finds what in containerd's configuration opens the gate silently, or keeps the node from pulling. The list of settings is
 * that of `CheckLocalImagePullConfigs` (containerd 2.1 to 2.4, internal/cri/config/config.go).
 */
export function configurationFindings(effective: EffectiveConfiguration): readonly Finding[] {
  return [
    ...localPull(effective),
    ...plugins(effective),
    ...verifierSettings(effective),
    ...misspelt(effective),
    ...configPaths(effective),
    ...lazyPull(effective),
  ];
}

function localPull({ images }: EffectiveConfiguration): readonly Finding[] {
  return LOCAL_PULL.filter(({ path, triggers }) => triggers(images.get(path))).map(({ path, line }) => ({
    id: 'local-pull',
    severity: 'open',
    found: `${path} = ${shown(images.get(path))}`,
    why: 'with it the kubelet pulls without the transfer service, which is what asks verifiers; containerd says so once, at its start',
    fix: `[plugins."${IMAGES}"] ${line}`,
  }));
}

function plugins({ disabledPlugins, requiredPlugins, verifier }: EffectiveConfiguration): readonly Finding[] {
  const findings: Finding[] = [];
  if (disabledPlugins.includes(VERIFIER)) {
    findings.push({
      id: 'verifier-disabled',
      severity: 'open',
      found: `disabled_plugins has "${VERIFIER}"`,
      why: 'containerd 2.3 and later then pull unasked; 2.1 and 2.2 do not pull at all',
      fix: `remove "${VERIFIER}" from disabled_plugins`,
    });
  }
  if (disabledPlugins.includes(TRANSFER)) {
    findings.push({
      id: 'transfer-disabled',
      severity: 'stuck',
      found: `disabled_plugins has "${TRANSFER}"`,
      why: 'verifiers are asked by the transfer service alone',
      fix: `remove "${TRANSFER}" from disabled_plugins`,
    });
  }
  if (verifier === undefined) {
    findings.push({
      id: 'verifier-missing',
      severity: 'open',
      found: `no plugin ${VERIFIER}`,
      why: 'this containerd has no image verifier',
      fix: 'use containerd 2.1 or later, as its project builds it',
    });
  }
  const missing = [VERIFIER, TRANSFER].filter((id) => !requiredPlugins.includes(id));
  if (missing.length > 0) {
    findings.push({
      id: 'not-required',
      severity: 'weak',
      found: `required_plugins lacks ${missing.join(', ')}`,
      why: 'a containerd in which they fail to load starts all the same, and may pull unasked',
      fix: `required_plugins = ["${VERIFIER}", "${TRANSFER}"]`,
    });
  }
  return findings;
}

function verifierSettings({ verifier }: EffectiveConfiguration): readonly Finding[] {
  if (verifier === undefined) return [];
  const findings: Finding[] = [];
  const section = `[plugins."${VERIFIER}"]`;
  if (verifier.binDir === '') {
    findings.push({
      id: 'bin-dir-unset',
      severity: 'open',
      found: 'bin_dir = ""',
      why: 'without a folder of verifiers every pull is allowed',
      fix: `${section} bin_dir = "${DEFAULT_BIN_DIR}"`,
    });
  }
  if (verifier.maxVerifiers === 0) {
    findings.push({
      id: 'max-verifiers',
      severity: 'open',
      found: 'max_verifiers = 0',
      why: 'no verifier is asked, and every pull is allowed',
      fix: `${section} max_verifiers = -1`,
    });
  }
  // NaN, which keeps containerd from starting, is too short as well.
  if (!(verifier.perVerifierTimeoutMs >= LEAST_TIMEOUT_MS)) {
    findings.push({
      id: 'timeout-too-short',
      severity: 'stuck',
      found: `per_verifier_timeout is ${verifier.perVerifierTimeoutMs} ms`,
      why: 'the launcher is killed before it can say why a pull is refused; it needs 9.2 s',
      fix: `${section} per_verifier_timeout = "10s"`,
    });
  }
  if (verifier.unknownKeys.length > 0) {
    findings.push({
      id: 'verifier-setting-unknown',
      severity: 'open',
      found: verifier.unknownKeys.join(', '),
      why: 'containerd passes over settings that it does not know, and uses their defaults',
      fix: `in ${section} only bin_dir, max_verifiers and per_verifier_timeout count; correct the name`,
    });
  }
  return findings;
}

/** A section whose name is nearly that of the verifier says nothing to containerd, and nobody is told. */
function misspelt({ pluginIds }: EffectiveConfiguration): readonly Finding[] {
  const similar = pluginIds.filter((id) => id !== VERIFIER && /image[-_.]?verif|bindir/i.test(id));
  return similar.map((id) => ({
    id: 'verifier-section-misspelt',
    severity: 'open',
    found: `[plugins."${id}"]`,
    why: 'containerd knows no such plugin and says nothing about it: what stands there does not count',
    fix: `call it [plugins."${VERIFIER}"]`,
  }));
}

function configPaths({ images }: EffectiveConfiguration): readonly Finding[] {
  const path = images.get('registry.config_path');
  if (typeof path !== 'string' || !path.includes(':')) return [];
  return [
    {
      id: 'several-config-paths',
      severity: 'weak',
      found: `registry.config_path = ${shown(path)}`,
      why: 'the transfer service reads one folder only, so that hosts.toml files and mirrors are passed over',
      fix: `[plugins."${IMAGES}".registry] config_path = ${shown(path.split(':')[0])}`,
    },
  ];
}

/** Layers are fetched in full without a word of containerd: pods start later, and the disk fills. */
function lazyPull(effective: EffectiveConfiguration): readonly Finding[] {
  return lazySnapshotters(effective)
    .filter(({ isTold }) => !isTold)
    .map(({ name, proxy }) => ({
      id: 'lazy-pull-off',
      severity: 'weak',
      found: `snapshotter ${shown(name)} without the export ${LAZY_EXPORT} = "true"`,
      why: 'the transfer service, which is what asks verifiers, then fetches every layer in full before a container starts',
      fix:
        proxy === undefined
          ? `run ${name} as a proxy plugin of containerd: [proxy_plugins.${name}.exports] ${LAZY_EXPORT} = "true"`
          : `[proxy_plugins.${shown(name)}.exports] ${LAZY_EXPORT} = "true"`,
    }));
}

function shown(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 120) ?? 'nothing';
}

/** Whether this containerd asks at all; one that does not tell its version is looked at all the same. */
export function versionFindings(version: ContainerdVersion | undefined): readonly Finding[] {
  if (version === undefined) return [];
  const [major, minor] = version;
  if (major > 2 || (major === 2 && minor >= 1)) return [];
  return [
    {
      id: 'containerd-too-old',
      severity: 'open',
      found: `containerd ${version.join('.')}`,
      why: "the kubelet's pulls are verified from 2.1 on; 2.0 verifies those of ctr, 1.7 none",
      fix: 'upgrade containerd to 2.2 or later',
    },
  ];
}
