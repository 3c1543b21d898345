import { open } from 'node:fs/promises';
import { parseDocument } from 'yaml';

/** What `portcullis shim` can be told, on the command line as `--KEY` or in its file as `KEY: value`. */
export const SHIM_SETTINGS = [
  'verdict-keys',
  'socket',
  'grpc-socket',
  'task-queue',
  'node',
  'metrics',
  'state',
  'bootstrap',
  'containerd',
  'canary-every',
] as const;

export type ShimSetting = (typeof SHIM_SETTINGS)[number];

/** A dozen lines; nothing larger is read. */
const MAX_BYTES = 64 * 1024;
const MAX_VALUE = 4_096;

/**
 * Reads the daemon's file: a YAML mapping of {@link SHIM_SETTINGS} to text. Throws with file, line and what was expected for
 * anything else: a setting that is misspelt must not be a setting that is missing.
 */
export async function readShimFile(path: string): Promise<Partial<Record<ShimSetting, string>>> {
  const document = parseDocument(await readBounded(path), { schema: 'core', uniqueKeys: true, prettyErrors: true });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) throw new Error(`${path}: ${problem.message.split('\n')[0]}`);
  const content: unknown = document.toJS({ maxAliasCount: 0 });
  if (content === null) return {};
  if (typeof content !== 'object' || Array.isArray(content)) {
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

function isSetting(key: string): key is ShimSetting {
  return SHIM_SETTINGS.some((setting) => setting === key);
}

async function readBounded(path: string): Promise<string> {
  const file = await open(path);
  try {
    const bytes = Buffer.alloc(MAX_BYTES + 1);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    if (bytesRead > MAX_BYTES) throw new Error(`${path}: expected at most ${MAX_BYTES} bytes, found more`);
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
}
