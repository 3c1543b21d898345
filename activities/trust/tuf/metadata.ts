import { Readable } from 'node:stream';
import { Metadata, MetadataKind, type Root } from '@tufjs/models';
import { isRecord } from '../../../workflows/format/record.ts';
import { parseRfc3339 } from '../../../workflows/format/rfc3339.ts';
import { MAX_TUF_TOKENS } from '../../limits.ts';
import { quote } from '../../text/quote.ts';
import { parseStrictJson } from '../../text/strict-json.ts';

/** What is remembered of a TUF repository between two updates. */
export interface TufMetadata {
  /** The versions of root.json after the initial one, oldest first, none left out. */
  readonly roots: readonly Uint8Array[];
  /** The newest that were seen, whole set or not: what updates are compared with. */
  readonly timestamp?: Uint8Array;
  readonly snapshot?: Uint8Array;
  readonly targets?: Uint8Array;
}

/** A target together with the metadata that proves it. */
export interface ProvenTarget {
  readonly timestamp: Uint8Array;
  readonly snapshot: Uint8Array;
  readonly targets: Uint8Array;
  readonly target: Uint8Array;
}

/** Reads one root.json. Throws for anything that is not one. */
export function readRootMetadata(bytes: Uint8Array): Metadata<Root> {
  return Metadata.fromJSON(MetadataKind.Root, parse(bytes));
}

/** The newest root, with every step from the initial one proven. Throws for a chain that does not hold. */
export function verifyRoots(initial: Uint8Array, later: readonly Uint8Array[]): Metadata<Root> {
  let trusted = readRootMetadata(initial);
  trusted.verifyDelegate(MetadataKind.Root, trusted);
  for (const bytes of later) {
    const next = readRootMetadata(bytes);
    trusted.verifyDelegate(MetadataKind.Root, next);
    next.verifyDelegate(MetadataKind.Root, next);
    if (next.signed.version !== trusted.signed.version + 1) throw new Error('the versions of root.json have a gap');
    trusted = next;
  }
  return trusted;
}

/**
 * Proves a target from the initial root on, whatever its age, and answers until when (Unix time in ms) the metadata says
 * so. Nothing that was kept is believed otherwise. Throws when a signature, version, hash or length does not hold.
 */
export async function verifyTarget(
  initial: Uint8Array,
  roots: readonly Uint8Array[],
  proven: ProvenTarget,
  name: string,
): Promise<{ readonly expires: number }> {
  const root = verifyRoots(initial, roots);
  const timestamp = Metadata.fromJSON(MetadataKind.Timestamp, parse(proven.timestamp));
  root.verifyDelegate(MetadataKind.Timestamp, timestamp);
  const snapshot = Metadata.fromJSON(MetadataKind.Snapshot, parse(proven.snapshot));
  root.verifyDelegate(MetadataKind.Snapshot, snapshot);
  timestamp.signed.snapshotMeta.verify(Buffer.from(proven.snapshot));
  if (snapshot.signed.version !== timestamp.signed.snapshotMeta.version)
    throw new Error('snapshot.json is another one');
  const targets = Metadata.fromJSON(MetadataKind.Targets, parse(proven.targets));
  root.verifyDelegate(MetadataKind.Targets, targets);
  const listed = snapshot.signed.meta['targets.json'];
  listed?.verify(Buffer.from(proven.targets));
  if (targets.signed.version !== listed?.version) throw new Error('targets.json is another one');
  const file = targets.signed.targets[name];
  if (file === undefined) throw new Error('targets.json does not list the trusted root');
  await file.verify(Readable.from(Buffer.from(proven.target)));
  return { expires: Math.min(...[root, timestamp, snapshot, targets].map(({ signed }) => endOf(signed.expires))) };
}

/** TUF writes times in UTC; a time without a zone would end at another moment on each machine. */
function endOf(expires: string): number {
  const time = parseRfc3339(expires);
  if (time === undefined) throw new Error(`it ends at ${quote(expires)}, which is not a time in RFC 3339`);
  return time;
}

/** Until when metadata of any kind says it holds; `undefined` for bytes that don't say. Proves nothing. */
export function expiryOf(bytes: Uint8Array): number | undefined {
  try {
    const { signed } = parse(bytes);
    const expires = isRecord(signed) ? signed['expires'] : undefined;
    return parseRfc3339(expires);
  } catch {
    // Not JSON.
    return undefined;
  }
}

type JsonObject = Parameters<typeof Metadata.fromJSON>[1];

function parse(bytes: Uint8Array): JsonObject {
  const json = parseStrictJson(bytes, MAX_TUF_TOKENS);
  if (!json.ok) throw new Error(`not the JSON of metadata: ${json.problem}`);
  if (!isRecord(json.value)) throw new Error('not the JSON of metadata: it is no object');
  // What `JSON.parse` made and has the shape of an object is what the library calls a JSON object.
  return json.value as JsonObject;
}
