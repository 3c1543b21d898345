import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setting } from './canary-scene.ts';

/** Something that happens to a node after an installation, and what doctor and the canary have to say of it. */
export interface Trigger {
  /** Of the file that `install` wrote for containerd. */
  readonly change?: (toml: string) => string;
  readonly folder?: (binDir: string) => Promise<unknown>;
  readonly doctor: readonly string[];
  /** By the CRI, and by ctr. */
  readonly canary: readonly [string, string];
  /** With containerd 2.2, where that is another. */
  readonly older?: Pick<Trigger, 'doctor' | 'canary'>;
}

const IMAGES = `[plugins."io.containerd.cri.v1.images"]`;
const VERIFIER = `[plugins."io.containerd.image-verifier.v1.bindir"]`;

/** These tables and `config_path` exclude each other, and containerd has a default for that. */
const registry = (table: string) => (toml: string) =>
  toml
    .replace(/^ {4}config_path = .*\n/m, '    config_path = ""\n')
    .concat(`\n[plugins."io.containerd.cri.v1.images".registry.${table}\n`);

/** What each does on a real node, by both ways to pull: `ctr` has its own list of what makes it pull by itself. */
export const TRIGGERS: Readonly<Record<string, Trigger>> = {
  none: { doctor: [], canary: ['green', 'green'] },
  use_local_image_pull: {
    change: setting(IMAGES, 'use_local_image_pull = true'),
    ...{ doctor: ['local-pull'], canary: ['bypassed', 'green'] },
  },
  discard_unpacked_layers: {
    change: setting(IMAGES, 'discard_unpacked_layers = true'),
    ...{ doctor: ['local-pull'], canary: ['bypassed', 'green'] },
  },
  disable_snapshot_annotations: {
    change: setting(IMAGES, 'disable_snapshot_annotations = false'),
    ...{ doctor: ['local-pull'], canary: ['bypassed', 'green'] },
  },
  image_pull_with_sync_fs: {
    change: setting(IMAGES, 'image_pull_with_sync_fs = true'),
    ...{ doctor: ['local-pull'], canary: ['bypassed', 'green'] },
  },
  max_concurrent_downloads: {
    change: setting(IMAGES, 'max_concurrent_downloads = 5'),
    ...{ doctor: ['local-pull'], canary: ['bypassed', 'green'] },
  },
  'registry.mirrors': {
    change: registry(`mirrors."docker.io"]\n    endpoint = ["https://mirror.example"]`),
    ...{ doctor: ['local-pull'], canary: ['bypassed', 'green'] },
  },
  'registry.configs': {
    change: registry(`configs."a.example".tls]\n    insecure_skip_verify = true`),
    ...{ doctor: ['local-pull'], canary: ['bypassed', 'green'] },
  },
  'registry.auths': {
    change: registry(`auths."https://a.example"]\n    username = "u"\n    password = "p"`),
    ...{ doctor: ['local-pull'], canary: ['bypassed', 'green'] },
  },
  'bin_dir = ""': {
    change: setting(VERIFIER, 'bin_dir = ""'),
    ...{ doctor: ['bin-dir-unset'], canary: ['bypassed', 'bypassed'] },
  },
  'max_verifiers = 0': {
    change: setting(VERIFIER, 'max_verifiers = 0'),
    ...{ doctor: ['max-verifiers'], canary: ['bypassed', 'bypassed'] },
  },
  'an empty folder': {
    folder: (binDir) => rm(join(binDir, 'portcullis-verifier')),
    ...{ doctor: ['bin-dir-empty'], canary: ['bypassed', 'bypassed'] },
  },
  'no folder': {
    folder: (binDir) => rm(binDir, { recursive: true }),
    ...{ doctor: ['bin-dir-missing'], canary: ['bypassed', 'bypassed'] },
  },
  'the plugin disabled': {
    change: (toml) =>
      toml.replace(/^required_plugins = \[[^\]]*\]/m, `disabled_plugins = ["io.containerd.image-verifier.v1.bindir"]`),
    ...{ doctor: ['verifier-disabled', 'verifier-not-loaded'], canary: ['bypassed', 'bypassed'] },
    // It loads neither its transfer service nor CRI then.
    older: {
      doctor: ['verifier-disabled', 'verifier-not-loaded', 'transfer-not-loaded'],
      canary: ['no-client', 'pull-failed'],
    },
  },
  'another verifier that refuses': {
    folder: (binDir) => writeFile(join(binDir, 'a-other'), '#!/bin/sh\necho no\nexit 1\n', { mode: 0o755 }),
    ...{ doctor: [], canary: ['refused-by-others', 'refused-by-others'] },
  },
  'another one that refuses, after ours': {
    folder: (binDir) => writeFile(join(binDir, 'z-other'), '#!/bin/sh\necho no\nexit 1\n', { mode: 0o755 }),
    ...{ doctor: [], canary: ['good-refused', 'good-refused'] },
  },
  'an entry that can not run': {
    folder: (binDir) => writeFile(join(binDir, '.gitkeep'), ''),
    ...{ doctor: ['stray-entry'], canary: ['refused-by-others', 'refused-by-others'] },
  },
};
