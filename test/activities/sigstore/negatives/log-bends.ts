import type { InclusionProof, TlogEntry } from '../../../support/virtual-sigstore/tlog-entry.ts';
import type { LogTrust } from '../../../support/virtual-sigstore/trusted-root.ts';
import { type Bend, flip64 } from './case.ts';

/** Bends copies of the entries. */
export const entry = (change: (entry: TlogEntry) => unknown): Bend => ({
  entries: (usual) =>
    usual.map((one) => {
      const copy = structuredClone(one);
      change(copy);
      return copy;
    }),
});
export const proof = (change: (proof: InclusionProof) => unknown): Bend =>
  entry((it) => {
    if (it.inclusionProof !== undefined) change(it.inclusionProof);
  });
export const checkpoint = (change: (envelope: string, proof: InclusionProof) => string): Bend =>
  proof((it) => {
    it.checkpoint.envelope = change(it.checkpoint.envelope, it);
  });
export const set = (change: (set: string, entry: TlogEntry) => string): Bend =>
  entry((it) => {
    if (it.inclusionPromise !== undefined)
      it.inclusionPromise.signedEntryTimestamp = change(it.inclusionPromise.signedEntryTimestamp, it);
  });
export const trusted = (change: (log: LogTrust, index: number) => void): Bend => ({
  trust: (plan) => plan.logs.forEach(change),
});
export const plus = (number: string | undefined, by: number) => String(Number(number ?? '0') + by);
export const signatureBit = (envelope: string) =>
  envelope.replace(/ (\S+)\n$/, (_, text: string) => ` ${flip64(text)}\n`);

/** What is wrong with any inclusion proof and checkpoint, whoever serves the log. */
/** For what has to be there. */
export function never(): never {
  throw new Error('expected an entry');
}
