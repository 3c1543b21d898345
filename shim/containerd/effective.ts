import { parse } from 'smol-toml';
import { parseGoDuration } from '../../workflows/format/go-duration.ts';
import type { ContainerdProgram, Dump } from './running.ts';

/**
 * What containerd makes of its configuration: all imports merged, older schemas migrated, defaults filled in. Read from what
 * `containerd config dump` prints (containerd 2.1 to 2.4, which all print plugin tables by the ids of schema 3 and 4).
 */
export interface EffectiveConfiguration {
  /** The Unix socket, unless the command line names another one. */
  readonly address: string | undefined;
  readonly disabledPlugins: readonly string[];
  readonly requiredPlugins: readonly string[];
  /** Ids of all plugin tables, known to containerd or not. */
  readonly pluginIds: readonly string[];
  /** Absent in a containerd that has no verifiers. */
  readonly verifier: VerifierSettings | undefined;
  /** Settings of CRI's image service, by their path below `plugins."io.containerd.cri.v1.images"`. */
  readonly images: ReadonlyMap<string, unknown>;
  /** The snapshotters that CRI unpacks images for, of all runtimes. */
  readonly snapshotters: readonly string[];
  /** Those that the transfer service was told to unpack for; empty for containerd's default alone. */
  readonly unpacked: readonly string[];
  /** Snapshotters that are programs of their own, by their names. */
  readonly proxies: ReadonlyMap<string, ProxySnapshotter>;
}

export interface VerifierSettings {
  readonly binDir: string;
  /** Negative for all. */
  readonly maxVerifiers: number;
  readonly perVerifierTimeoutMs: number;
  /** Keys that containerd doesn't know and passes over, as it warns. */
  readonly unknownKeys: readonly string[];
}

/** A `[proxy_plugins.NAME]` of the type snapshot: a snapshotter that is a program of its own. */
export interface ProxySnapshotter {
  readonly address: string;
  readonly platform: string;
  readonly exports: Readonly<Record<string, string>>;
  readonly capabilities: readonly string[];
}

/** Plugins by their ids in schema 3 and 4. */
export const VERIFIER = 'io.containerd.image-verifier.v1.bindir';
export const TRANSFER = 'io.containerd.transfer.v1.local';
export const IMAGES = 'io.containerd.cri.v1.images';
const RUNTIME = 'io.containerd.cri.v1.runtime';
/** Where schema 4 has the listener; schema 3 has it in [grpc]. */
const GRPC = 'io.containerd.server.v1.grpc';

/** What containerd prints is some 10 KiB. */
const MAX_BYTES = 2 * 1024 * 1024;

/** Reads a dump. Throws, with what was expected, for text that is none. */
export function readEffective({ toml, warnings }: Dump): EffectiveConfiguration {
  if (Buffer.byteLength(toml) > MAX_BYTES) {
    throw new Error(`expected a configuration of at most ${MAX_BYTES} bytes, found more`);
  }
  const top = table(parse(toml));
  const plugins = table(top.get('plugins'));
  const listener = table(plugins.get(GRPC)).get('address') ?? table(top.get('grpc')).get('address');
  return {
    address: typeof listener === 'string' && listener !== '' ? listener : undefined,
    disabledPlugins: texts(top.get('disabled_plugins')),
    requiredPlugins: texts(top.get('required_plugins')),
    pluginIds: [...plugins.keys()],
    verifier: plugins.has(VERIFIER) ? readVerifier(table(plugins.get(VERIFIER)), warnings) : undefined,
    images: flatten(table(plugins.get(IMAGES))),
    snapshotters: snapshottersOf(plugins),
    unpacked: tables(table(plugins.get(TRANSFER)).get('unpack_config')).flatMap((one) =>
      texts([one.get('snapshotter')]),
    ),
    proxies: proxiesOf(table(top.get('proxy_plugins'))),
  };
}

/** What containerd adds itself to the exports of a proxy plugin that has some, and then dumps: its address once more. */
const OWN_EXPORT = 'address';

function proxiesOf(plugins: ReadonlyMap<string, unknown>): ReadonlyMap<string, ProxySnapshotter> {
  const all = [...plugins].map(([name, value]) => [name, table(value)] as const);
  return new Map(
    all
      .filter(([, one]) => one.get('type') === 'snapshot')
      .map(([name, one]) => {
        const exports = [...table(one.get('exports'))].filter(
          (pair): pair is [string, string] => typeof pair[1] === 'string' && pair[0] !== OWN_EXPORT,
        );
        const [address = '', platform = ''] = [one.get('address'), one.get('platform')].map((text) =>
          String(text ?? ''),
        );
        return [
          name,
          { address, platform, exports: Object.fromEntries(exports), capabilities: texts(one.get('capabilities')) },
        ];
      }),
  );
}

function snapshottersOf(plugins: ReadonlyMap<string, unknown>): readonly string[] {
  const runtimes = table(table(table(plugins.get(RUNTIME)).get('containerd')).get('runtimes'));
  const all = [table(plugins.get(IMAGES)), ...[...runtimes.values()].map(table)].map((one) => one.get('snapshotter'));
  return [...new Set(texts(all).filter((name) => name !== ''))];
}

function readVerifier(settings: ReadonlyMap<string, unknown>, warnings: string): VerifierSettings {
  const timeout = settings.get('per_verifier_timeout') ?? '10s';
  return {
    binDir: String(settings.get('bin_dir') ?? ''),
    maxVerifiers: Number(settings.get('max_verifiers') ?? 10),
    perVerifierTimeoutMs: parseGoDuration(String(timeout)),
    unknownKeys: unknownKeys(warnings, VERIFIER),
  };
}

/** Unknown keys are in no dump: containerd drops them with a line in its log. */
function unknownKeys(warnings: string, plugin: string): readonly string[] {
  const lines = warnings
    .split('\n')
    .filter((line) => line.includes('unknown key') && line.includes(`plugin=${plugin}`));
  return lines.flatMap((line) => /\bkey="?([^"\s]+)/.exec(line)?.[1] ?? []);
}

/** The tables inside a table by their paths, `registry.mirrors`, and everything else by `registry.config_path`. */
function flatten(settings: ReadonlyMap<string, unknown>, prefix = ''): ReadonlyMap<string, unknown> {
  const flat = new Map<string, unknown>();
  for (const [key, value] of settings) {
    flat.set(prefix + key, value);
    if (isTable(value)) for (const [path, inner] of flatten(table(value), `${prefix}${key}.`)) flat.set(path, inner);
  }
  return flat;
}

function isTable(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function table(value: unknown): ReadonlyMap<string, unknown> {
  return new Map(isTable(value) ? Object.entries(value) : []);
}

function tables(value: unknown): readonly ReadonlyMap<string, unknown>[] {
  return Array.isArray(value) ? value.map(table) : [];
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}

const DEFAULT_SOCKET = '/run/containerd/containerd.sock';

/** The socket of a containerd: by its flag, its configuration, or its default. */
export function socketOf({ address }: Pick<ContainerdProgram, 'address'>, effective: EffectiveConfiguration): string {
  return address ?? effective.address ?? DEFAULT_SOCKET;
}
