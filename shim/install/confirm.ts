import { isDeepStrictEqual } from 'node:util';
import { parse } from 'smol-toml';
import { IMAGES, readEffective, TRANSFER, VERIFIER } from '../containerd/effective.ts';
import { LAZY_EXPORT } from '../containerd/lazy-pull.ts';
import type { Dump } from '../containerd/running.ts';
import { TRANSFER_PULL } from '../containerd/transfer-pull.ts';
import { configurationFindings } from '../doctor/configuration-findings.ts';

/** What an installation changes in what containerd makes of its configuration, by the path of each setting; of tables all that is below. */
const OURS = [
  ...['version', 'imports', 'required_plugins', `plugins.${VERIFIER}`],
  ...[...TRANSFER_PULL.keys()].map((key) => `plugins.${IMAGES}.${key}`),
  `plugins.${IMAGES}.registry.config_path`,
  ...[`plugins.${TRANSFER}.max_concurrent_downloads`, `plugins.${TRANSFER}.unpack_config`],
];

/** Of a proxy plugin the one export that keeps lazy pulling, and the address, which containerd adds to exports itself where there are some. */
const LAZY_PULL = new RegExp(`^(proxy_plugins\\..*)\\.exports\\.(${LAZY_EXPORT}|address)$`);

function keepsLazyPulling(path: string, is: ReadonlyMap<string, unknown>): boolean {
  const [, plugin, name] = LAZY_PULL.exec(path) ?? [];
  return name === LAZY_EXPORT || (name === 'address' && is.get(path) === is.get(`${plugin}.address`));
}

/**
 * Compares what containerd makes of its files before and after: the gate has to be shut now, and nothing else may be another than it was. What
 * counts is what containerd says, and not what was written. Throws with the first thing that is wrong.
 */
export function confirm(before: Dump, after: Dump): void {
  const [first] = configurationFindings(readEffective(after)).filter(({ severity }) => severity !== 'weak');
  if (first !== undefined) throw new Error(`a file that counts more says ${first.found}: ${first.fix}`);
  const [was, is] = [settingsOf(before), settingsOf(after)];
  for (const path of new Set([...was.keys(), ...is.keys()])) {
    if (OURS.some((own) => path === own || path.startsWith(`${own}.`)) || keepsLazyPulling(path, is)) continue;
    if (isDeepStrictEqual(was.get(path), is.get(path))) continue;
    throw new Error(
      `with it containerd would have ${path} = ${shown(is.get(path))}, and has ${shown(was.get(path))}: it reads files of two schemas another way than expected; bring them to one with "containerd config migrate"`,
    );
  }
}

/** All settings by their paths. */
function settingsOf({ toml }: Dump): ReadonlyMap<string, unknown> {
  const settings = new Map<string, unknown>();
  const walk = (prefix: string, value: unknown): void => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) settings.set(prefix, value);
    else for (const [key, inner] of Object.entries(value)) walk(prefix === '' ? key : `${prefix}.${key}`, inner);
  };
  walk('', parse(toml));
  return settings;
}

function shown(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 120) ?? 'nothing';
}
