import { existsSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { isRecord } from '../workflows/format/record.ts';
import { readTrusted } from './host/bounded-file.ts';

/** What `portcullis shim` can be told, on the command line as `--KEY` or in its file as `KEY: value`. */
export const SHIM_SETTINGS = [
  'verdict-keys',
  'socket',
  'grpc-socket',
  'task-queue',
  'fleet',
  'node',
  'metrics',
  'state',
  'bootstrap',
  'containerd',
  'canary-every',
  'proxy',
] as const;

export type ShimSetting = (typeof SHIM_SETTINGS)[number];

export type ShimSettings = Readonly<Partial<Record<ShimSetting, string>>>;

/** A dozen lines; nothing larger is read. */
const MAX_BYTES = 64 * 1024;
const MAX_VALUE = 4_096;

/**
 * Reads the daemon's file: a YAML mapping of {@link SHIM_SETTINGS} to text. Throws with file, line and what was expected for
 * anything else, a setting that is misspelt must not be a setting that is missing; and for a file that another user may
 * change.
 */
export async function readShimFile(path: string): Promise<ShimSettings> {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(await readTrusted(path, MAX_BYTES));
  const document = parseDocument(text, { schema: 'core', uniqueKeys: true, prettyErrors: true });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) throw new Error(`${path}: ${problem.message.split('\n')[0]}`);
  const content: unknown = document.toJS({ maxAliasCount: 0 });
  if (content === null) return {};
  if (!isRecord(content)) {
    throw new Error(
      `${path}: expected lines such as "verdict-keys: /etc/portcullis/verdict-keys", found something else`,
    );
  }
  const settings: Partial<Record<ShimSetting, string>> = {};
  for (const [key, value] of Object.entries(content)) {
    if (!isSetting(key)) {
      throw new Error(`${path}: ${JSON.stringify(key.slice(0, 80))}: expected one of ${SHIM_SETTINGS.join(', ')}`);
    }
    if (typeof value !== 'string' || value === '' || value.length > MAX_VALUE) {
      throw new Error(`${path}: ${key}: expected text of 1 to ${MAX_VALUE} characters; put it in quotes`);
    }
    settings[key] = value;
  }
  return settings;
}

/** Where the daemon's file is on a node, unless somebody names another one. */
export const DEFAULT_SHIM_FILE = '/etc/portcullis/shim.yaml';

/** The settings of this node's daemon, for other commands: of the file that is named, or of the usual one if it is there. */
export async function readNodeSettings(file: string | undefined): Promise<ShimSettings> {
  return file !== undefined || existsSync(DEFAULT_SHIM_FILE) ? await readShimFile(file ?? DEFAULT_SHIM_FILE) : {};
}

function isSetting(key: string): key is ShimSetting {
  return SHIM_SETTINGS.some((setting) => setting === key);
}
