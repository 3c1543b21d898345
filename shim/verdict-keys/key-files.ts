import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { lstat, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { codeOf, isShortage, readTrusted } from '../host/bounded-file.ts';
import { namesIn } from '../host/read-state.ts';
import { messageOf } from '../log/message-of.ts';
import { ALWAYS, type KeyWindow, narrower, parseKeyWindow } from './key-window.ts';
import type { AcceptedKey, VerdictKeys } from './verdict-keys.ts';

/** A file that was to name a key or its window and does not; the key is not believed. */
export interface RefusedKeyFile {
  readonly file: string;
  /** What was expected, what was found, what to do. */
  readonly problem: string;
}

/** What a node's folder of verdict keys says. Either list may be empty. */
export interface VerdictKeyFiles {
  readonly keys: VerdictKeys;
  readonly refused: readonly RefusedKeyFile[];
}

/** Workers sign with one key, and with another while keys are rotated; each signature is tried with each key. */
const MAX_KEYS = 32;

/** Files that are listed of the folder, every two seconds. */
const MAX_NAMES = 1_000;

/** A PEM block of some 200 bytes, or two times, and room for what people keep beside it. */
const MAX_FILE_BYTES = 16 * 1024;

/**
 * Reads the verdict keys of a node: one PEM public key, or all `*.pub` files of a folder; `NAME.json` beside `NAME.pub`
 * limits when that key is believed. Each file is judged by itself: one that is broken, or that another user may change, refuses its own key. Throws when the
 * path can't be read at all, holds more than anybody needs, or the machine is out of descriptors or memory.
 */
export async function readVerdictKeyFiles(path: string): Promise<VerdictKeyFiles> {
  const isFolder = (await stat(path)).isDirectory();
  const names = isFolder ? namesIn(path, MAX_NAMES)?.toSorted() : [];
  if (names === undefined)
    throw new Error(`expected at most ${MAX_NAMES} files in ${path}, found more; remove the old ones`);
  const files = isFolder ? names.filter((name) => name.endsWith('.pub')).map((name) => join(path, name)) : [path];
  if (files.length > MAX_KEYS) {
    throw new Error(`expected at most ${MAX_KEYS} *.pub files in ${path}, found ${files.length}; remove the old ones`);
  }
  const keys = new Map<string, AcceptedKey>();
  const refused: RefusedKeyFile[] = isFolder ? strayWindows(path, names) : [];
  for (const file of files) {
    const read = await readAcceptedKey(file).catch((error: unknown) => {
      if (isShortage(error)) throw error;
      return { file, problem: sentenceOf(error, file) };
    });
    if ('problem' in read) refused.push(read);
    else keys.set(read.keyId, both(keys.get(read.keyId), read.accepted));
  }
  return { keys, refused };
}

/** The verdict keys of a path. Throws when there is none, because a node without one could never open its gate. */
export async function loadVerdictKeys(path: string): Promise<VerdictKeys> {
  return requireKeys(await readVerdictKeyFiles(path), path).keys;
}

/** Throws, with the first thing to put right, when there is no key. */
export function requireKeys(files: VerdictKeyFiles, path: string): VerdictKeyFiles {
  if (files.keys.size > 0) return files;
  const [first] = files.refused;
  const problem =
    first?.problem ??
    `expected at least one *.pub file in ${path}, found none; make a pair with "portcullis keys init"`;
  throw new Error(`verdict keys: ${problem}`);
}

/** One key in two files: both windows count. */
function both(before: AcceptedKey | undefined, next: AcceptedKey): AcceptedKey {
  return before === undefined ? next : { ...before, window: narrower(before.window, next.window) };
}

/** A window of no key was meant for one, perhaps under another name: the key would be believed without its limit. */
function strayWindows(path: string, names: readonly string[]): RefusedKeyFile[] {
  return names
    .filter((name) => name.endsWith('.json') && !names.includes(name.replace(/\.json$/, '.pub')))
    .map((name) => {
      const key = name.replace(/(\.pub)?\.json$/, '.pub');
      const problem = `expected a key ${key} beside ${join(path, name)}, found a window without its key; NAME.json belongs to NAME.pub`;
      return { file: join(path, name), problem };
    });
}

async function readAcceptedKey(file: string): Promise<{ readonly keyId: string; readonly accepted: AcceptedKey }> {
  const key = parseVerdictKey(await readText(file), file);
  const spki = key.export({ type: 'spki', format: 'der' });
  const accepted = { key, window: await readWindow(file), file: basename(file) };
  return { keyId: createHash('sha256').update(spki).digest('hex'), accepted };
}

async function readWindow(keyFile: string): Promise<KeyWindow> {
  const file = keyFile.replace(/(\.pub)?$/, '.json');
  // A link that leads nowhere is a window that can't be read, not one that was never set.
  const isThere = await lstat(file).then(
    () => true,
    (error: unknown) => {
      if (codeOf(error) === 'ENOENT') return false;
      throw error;
    },
  );
  if (!isThere) return ALWAYS;
  const text = await readText(file).catch((error: unknown) => {
    throw new Error(`${sentenceOf(error, file)}; ${basename(keyFile)} is not accepted without its window`, {
      cause: error,
    });
  });
  const parsed = parseKeyWindow(text);
  if (parsed.ok) return parsed.window;
  throw new Error(`${file}: ${parsed.problem}; ${basename(keyFile)} is not accepted until that is corrected`);
}

async function readText(path: string): Promise<string> {
  return (await readTrusted(path, MAX_FILE_BYTES)).toString('utf8');
}

function parseVerdictKey(pem: string, file: string): KeyObject {
  if (pem.includes('PRIVATE KEY')) {
    throw new Error(`${file} holds a private key; a node gets the public one only (the .pub file)`);
  }
  const key = importPem(pem);
  if (key === undefined) throw new Error(`expected a PEM public key in ${file}, found something else`);
  const isP256 = key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
  if (isP256 || key.asymmetricKeyType === 'ed25519') return key;
  throw new Error(
    `expected an ECDSA P-256 or Ed25519 public key in ${file}, found another kind (${key.asymmetricKeyType})`,
  );
}

function importPem(pem: string): KeyObject | undefined {
  try {
    return createPublicKey(pem);
  } catch {
    return undefined;
  }
}

function sentenceOf(error: unknown, file: string): string {
  const code = codeOf(error);
  if (code !== undefined) return `expected to read ${file}, found ${code}`;
  return messageOf(error);
}
