import type { MerkleTree } from './merkle-tree.ts';

/** A log entry as bundles carry it (protobuf-specs `TransparencyLogEntry`, JSON); every field may be bent. */
export interface TlogEntry {
  logIndex?: string;
  logId: { keyId: string };
  kindVersion: { kind: string; version: string };
  integratedTime?: string;
  inclusionPromise?: { signedEntryTimestamp: string };
  inclusionProof?: InclusionProof;
  canonicalizedBody: string;
}

export interface InclusionProof {
  logIndex?: string;
  rootHash: string;
  treeSize: string;
  hashes: string[];
  checkpoint: { envelope: string };
}

/** The proof that a leaf is in the tree of the first `size` leaves. */
export function inclusionProof(tree: MerkleTree, index: number, size: number, checkpoint: string): InclusionProof {
  return {
    logIndex: String(index),
    rootHash: tree.root(size).toString('base64'),
    treeSize: String(size),
    hashes: tree.inclusion(index, size).map((hash) => hash.toString('base64')),
    checkpoint: { envelope: checkpoint },
  };
}

/** Kind and version of a body, as the entry repeats them. */
export function kindVersionOf(body: Uint8Array): TlogEntry['kindVersion'] {
  const { kind, apiVersion } = JSON.parse(Buffer.from(body).toString()) as { kind: string; apiVersion: string }; // made by us
  return { kind, version: apiVersion };
}
