import type { Descriptor } from '../../workflows/format/descriptor.ts';
import { type Digest, parseDigest } from '../../workflows/format/digest.ts';
import { nameWithoutDigest, parseFullName } from '../../workflows/format/name.ts';
import type { PullRequest } from '../decision.ts';
import type { LauncherRequest } from './protocol.ts';

/** A pull that is well formed, or the sentence that says what is wrong with it. */
export type ParsedArguments =
  | { readonly ok: true; readonly request: PullRequest; readonly descriptor: Descriptor }
  | { readonly ok: false; readonly sentence: string };

type Flag = 'name' | 'digest' | 'stdin-media-type';

const DESCRIPTOR_TYPE = 'application/vnd.oci.descriptor.v1+json';

/** A descriptor is some 150 bytes; containerd's own tests send 128 KiB. */
const MAX_DESCRIPTOR_BYTES = 1024 * 1024;

/** As much of what was found as an error repeats. */
const MAX_QUOTE = 80;

class Malformed extends Error {}

/**
 * Reads what containerd passes to an image verifier (containerd v2.1 to v2.4, `pkg/imageverifier/bindir`):
 * `-name`, `-digest` and `-stdin-media-type` in any order and in every spelling that Go's `flag` package takes; pairs
 * of an unknown flag and its value are for a later containerd and are skipped. Standard input is the OCI descriptor.
 * Never throws.
 */
export function parseLauncherArguments(request: LauncherRequest): ParsedArguments {
  try {
    return parse(request);
  } catch (error) {
    if (error instanceof Malformed) return { ok: false, sentence: error.message };
    return { ok: false, sentence: 'the arguments of the launcher cannot be read' };
  }
}

function parse(request: LauncherRequest): ParsedArguments {
  const flags = readFlags(request.arguments);
  const name = parseFullName(required(flags, 'name'));
  if (name === undefined) {
    throw new Malformed(
      `-name: expected an image name such as docker.io/library/alpine:3.22, found ${quote(required(flags, 'name'))}`,
    );
  }
  const digest = readDigest(required(flags, 'digest'), '-digest');
  const mediaType = required(flags, 'stdin-media-type');
  if (mediaType !== DESCRIPTOR_TYPE) {
    throw new Malformed(`-stdin-media-type: expected ${DESCRIPTOR_TYPE}, found ${quote(mediaType)}`);
  }
  const descriptor = readDescriptor(request.stdin);
  if (descriptor.digest !== digest) {
    throw new Malformed(`standard input: expected the digest of -digest, ${digest}, found ${descriptor.digest}`);
  }
  if (name.digest !== undefined && name.digest !== digest) {
    throw new Malformed(`-digest: expected the digest in -name, ${name.digest}, found ${digest}`);
  }
  return { ok: true, request: { name: nameWithoutDigest(name), digest }, descriptor };
}

function readFlags(words: readonly string[]): ReadonlyMap<Flag, string> {
  const flags = new Map<Flag, string>();
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    const match = /^--?([^-=][^=]*)(?:=([\s\S]*))?$/.exec(word);
    if (match === null) throw new Malformed(`argument ${at + 1}: expected a flag, found ${quote(word)}`);
    const [, flag = '', attached] = match;
    const value = attached ?? words[++at];
    if (value === undefined) throw new Malformed(`-${quote(flag)}: expected a value, found none`);
    if (!isFlag(flag)) continue;
    if (flags.has(flag)) throw new Malformed(`-${flag}: expected it once, found it twice`);
    flags.set(flag, value);
  }
  return flags;
}

function isFlag(text: string): text is Flag {
  return text === 'name' || text === 'digest' || text === 'stdin-media-type';
}

function required(flags: ReadonlyMap<Flag, string>, flag: Flag): string {
  const value = flags.get(flag);
  if (value === undefined || value === '') throw new Malformed(`-${flag}: expected a value, found none`);
  return value;
}

function readDigest(text: string, where: string): Digest {
  const digest = parseDigest(text);
  if (digest === undefined) {
    throw new Malformed(`${where}: expected sha256: and 64 lower-case hex digits, found ${quote(text)}`);
  }
  return digest;
}

function readDescriptor(stdin: Uint8Array): Descriptor {
  if (stdin.length > MAX_DESCRIPTOR_BYTES) {
    throw new Malformed(`standard input: expected at most ${MAX_DESCRIPTOR_BYTES} bytes, found ${stdin.length}`);
  }
  const json = parseJson(stdin);
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new Malformed('standard input: expected an OCI descriptor, found something else');
  }
  const fields = new Map<string, unknown>(Object.entries(json));
  const [mediaType, digest, size] = ['mediaType', 'digest', 'size'].map((field) => fields.get(field));
  if (typeof mediaType !== 'string' || mediaType === '') {
    throw new Malformed('standard input: mediaType: expected a media type');
  }
  if (typeof digest !== 'string') throw new Malformed('standard input: digest: expected a digest, found none');
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw new Malformed('standard input: size: expected a number of bytes');
  }
  return { mediaType, digest: readDigest(digest, 'standard input: digest'), size };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new Malformed(
      `standard input: expected an OCI descriptor as JSON, found ${bytes.length} bytes that are none`,
    );
  }
}

function quote(text: string): string {
  return JSON.stringify(text.length > MAX_QUOTE ? `${text.slice(0, MAX_QUOTE)}...` : text);
}
