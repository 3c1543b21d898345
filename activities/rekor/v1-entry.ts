import { isRecord } from '../../workflows/format/record.ts';
import type { EntryInclusion } from '../sigstore/judgement.ts';
import type { FoundEntry } from '../sigstore/log/looked-up-entry.ts';
import { isIncluded, leafHash } from '../sigstore/log/merkle.ts';
import { decodeBase64 } from '../text/base64.ts';
import { parseStrictJson } from '../text/strict-json.ts';
import type { TransparencyLog } from '../trust/trust-root.ts';
import { misbehaved } from './failure.ts';
import { verifiedCheckpoint } from './log-api.ts';

/** An entry as Rekor v1 answers it (`openapi.yaml` LogEntry), well-formed and not judged. */
export interface V1Entry {
  /** Base64. */
  readonly body: string;
  readonly integratedTime: bigint;
  /** Hex. */
  readonly logId: string;
  /** Counted over all trees of the log. */
  readonly logIndex: bigint;
  /** Base64. */
  readonly promise: string | undefined;
  readonly proof: V1InclusionProof | undefined;
}

export interface V1InclusionProof {
  /** Counted in its tree. */
  readonly index: bigint;
  readonly treeSize: bigint;
  readonly rootHash: Buffer;
  readonly hashes: readonly Buffer[];
  readonly checkpoint: string;
}

const MAX_PROOF_HASHES = 128;
const HASH = /^[0-9a-f]{64}$/;

/** Reads the entries of `{ "<uuid>": entry, ... }`. Throws LOG_MISBEHAVED when one of them is none. */
export function parseV1Entries(what: string, answer: unknown): readonly V1Entry[] {
  if (!isRecord(answer)) throw misbehaved(what, 'expected log entries, got something else');
  return Object.values(answer).map((value) => {
    const entry = parseEntry(value);
    if (entry === undefined)
      throw misbehaved(what, 'expected a log entry with body, index and proof, got something else');
    return entry;
  });
}

function parseEntry(value: unknown): V1Entry | undefined {
  if (!isRecord(value)) return undefined;
  const { body, logID: logId, verification } = value;
  const integratedTime = parseCount(value['integratedTime']);
  const logIndex = parseCount(value['logIndex']);
  if (typeof body !== 'string' || decodeBase64(body) === undefined || typeof logId !== 'string') return undefined;
  if (!HASH.test(logId) || integratedTime === undefined || logIndex === undefined) return undefined;
  const { signedEntryTimestamp: promise, inclusionProof } = isRecord(verification) ? verification : {};
  if (promise !== undefined && typeof promise !== 'string') return undefined;
  const proof = inclusionProof === undefined ? undefined : parseProof(inclusionProof);
  if (inclusionProof !== undefined && proof === undefined) return undefined;
  return { body, integratedTime, logId, logIndex, promise, proof };
}

function parseProof(value: unknown): V1InclusionProof | undefined {
  if (!isRecord(value)) return undefined;
  const index = parseCount(value['logIndex']);
  const treeSize = parseCount(value['treeSize']);
  const [rootHash] = parseHashes([value['rootHash']]) ?? [];
  const hashes = parseHashes(value['hashes']);
  const { checkpoint } = value;
  if (index === undefined || treeSize === undefined || rootHash === undefined || hashes === undefined) return undefined;
  return typeof checkpoint === 'string' ? { index, treeSize, rootHash, hashes, checkpoint } : undefined;
}

/** Reads hex hashes of a proof; `undefined` when they are none, or too many. */
export function parseHashes(value: unknown): readonly Buffer[] | undefined {
  if (!Array.isArray(value) || value.length > MAX_PROOF_HASHES) return undefined;
  const isHash = (hash: unknown): hash is string => typeof hash === 'string' && HASH.test(hash);
  return value.every(isHash) ? value.map((hash) => Buffer.from(hash, 'hex')) : undefined;
}

/** JSON numbers lose precision only beyond 2^53, which no log will see. */
function parseCount(value: unknown): bigint | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : undefined;
}

/** Proves that the tree of the entry's checkpoint holds these bytes. Throws LOG_MISBEHAVED. */
export function provenInclusion(
  log: TransparencyLog,
  what: string,
  { proof }: V1Entry,
  canonicalizedBody: Uint8Array,
): EntryInclusion {
  if (proof === undefined) throw misbehaved(what, 'expected an entry with an inclusion proof, got one without');
  const { index, treeSize, hashes } = proof;
  const { checkpoint } = verifiedCheckpoint(log, what, proof.checkpoint);
  const { origin, rootHash } = checkpoint;
  const included = isIncluded(leafHash(canonicalizedBody), { index, treeSize }, hashes, rootHash);
  if (checkpoint.treeSize !== treeSize || !included) {
    throw misbehaved(what, 'the inclusion proof does not lead from the entry to the checkpoint that comes with it');
  }
  return { origin, index, treeSize, rootHash };
}

/** The entry as a bundle carries it (protobuf-specs `sigstore_rekor.proto` TransparencyLogEntry, as JSON). */
export function toFoundEntry({ body, integratedTime, logId, logIndex, promise, proof }: V1Entry): FoundEntry {
  return {
    logIndex: String(logIndex),
    logId: { keyId: Buffer.from(logId, 'hex').toString('base64') },
    kindVersion: kindVersionOf(body),
    integratedTime: String(integratedTime),
    ...(promise === undefined ? {} : { inclusionPromise: { signedEntryTimestamp: promise } }),
    ...(proof === undefined
      ? {}
      : {
          inclusionProof: {
            logIndex: String(proof.index),
            rootHash: proof.rootHash.toString('base64'),
            treeSize: String(proof.treeSize),
            hashes: proof.hashes.map((hash) => hash.toString('base64')),
            checkpoint: { envelope: proof.checkpoint },
          },
        }),
    canonicalizedBody: body,
  };
}

/** What the body says it is; a body that says nothing is refused by whoever judges the entry. */
function kindVersionOf(body: string): { readonly kind: string; readonly version: string } {
  const json = parseStrictJson(Buffer.from(body, 'base64'));
  const parsed = json.ok ? json.value : undefined;
  if (isRecord(parsed) && typeof parsed['kind'] === 'string' && typeof parsed['apiVersion'] === 'string') {
    return { kind: parsed['kind'], version: parsed['apiVersion'] };
  }
  return { kind: '', version: '' };
}
