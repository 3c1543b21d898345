import type { TransparencyLogEntry } from '@sigstore/bundle';
import type { TrustMaterial } from '@sigstore/verify';
import { quote } from '../../text/quote.ts';
import { type EntryInclusion, failed, type ProvenEntry, type Refusal, refuse, type Step } from '../judgement.ts';
import { type LibraryFailure, runLibrary, type Signing } from '../library-step.ts';
import { parseCheckpoint } from './checkpoint.ts';
import { checkEntryBody, isOldIntoto } from './entry-body.ts';
import { promiseHolds } from './promise.ts';

type Log = TrustMaterial['tlogs'][number];

/** Seconds since 1970, until the year 33658. */
const UNIX_TIME = /^(?:0|[1-9][0-9]{0,11})$/;

/** Below 2^63, as logs count. */
const WHOLE_NUMBER = /^(?:0|[1-9][0-9]{0,17})$/;

/**
 * Proves one log entry by the logs of the trust root: that a log with that id promised it at a time when its key was
 * believed, or that it is in the tree of a checkpoint that the log signed (both, where both are there), and that it is
 * about this signature, its digest and its signer. An entry without a time is proven for whatever time
 * {@link isBelievedAt} says.
 */
export function proveEntry(
  entry: TransparencyLogEntry,
  signing: Signing,
  trust: Pick<TrustMaterial, 'tlogs'>,
): Step<ProvenEntry> {
  const logs = logsOf(entry.logId.keyId, trust);
  if (logs.length === 0) {
    const sentence = `the trust root does not name the log ${entry.logId.keyId.toString('hex').slice(0, 64)} of the entry`;
    return failed(refuse('LOG_UNKNOWN', sentence));
  }
  const promised = promisedTime(entry);
  if (!promised.ok) return promised;
  const time = promised.value;
  if (time !== undefined && !logs.some((log) => isWithin(log, time))) return failed(refuseExpired(time));
  return proveByLogs(entry, signing, logs, time);
}

function proveByLogs(
  entry: TransparencyLogEntry,
  signing: Signing,
  tlogs: Log[],
  time: Date | undefined,
): Step<ProvenEntry> {
  // Before the library looks at it, which tries every signature of a checkpoint of any length.
  const inclusion = inclusionOf(entry);
  if (!inclusion.ok) return inclusion;
  const unsigned = checkUnsigned(entry, inclusion.value);
  if (unsigned !== undefined) return failed(unsigned);
  const failure = isOldIntoto(entry)
    ? proveOldIntoto(entry, tlogs)
    : runLibrary(signing, { entity: { tlogEntries: [entry] }, trust: { tlogs } });
  // A body of another shape makes the library fail without a code; then the body says more than the failure.
  const refusal =
    failure === 'FAILED'
      ? (checkEntryBody(entry, signing) ?? refuseFailure(failure))
      : (refuseFailure(failure) ?? checkEntryBody(entry, signing));
  if (refusal !== undefined) return failed(refusal);
  return {
    ok: true,
    value: {
      logId: entry.logId.keyId.toString('hex'),
      canonicalizedBody: entry.canonicalizedBody,
      integratedTime: time?.getTime(),
      inclusion: inclusion.value,
    },
  };
}

/** Tells whether the key of the entry's log was believed at a time. */
export function isBelievedAt({ logId }: ProvenEntry, time: Date, trust: Pick<TrustMaterial, 'tlogs'>): boolean {
  return logsOf(Buffer.from(logId, 'hex'), trust).some((log) => isWithin(log, time));
}

/** The log signed at a time outside the window of its key. */
export function refuseExpired(time: Date): Refusal {
  const fix = 'sign again, or correct the window of the log in the trust root';
  return refuse(
    'LOG_KEY_EXPIRED',
    `the key of the log is not valid at ${time.toISOString()} by the trust root; ${fix}`,
  );
}

/** The same where nothing says when the log signed, so that the key has to be valid now. */
export function refuseUntimed(now: Date): Refusal {
  const cause = `the signature has no trusted time, so the present counts, and the key of the log is not valid at ${now.toISOString()} by the trust root`;
  const fix = 'sign with a timestamp authority, or correct the window of the log in the trust root';
  return refuse('LOG_KEY_EXPIRED', `${cause}; ${fix}`);
}

function logsOf(keyId: Buffer, { tlogs }: Pick<TrustMaterial, 'tlogs'>): Log[] {
  return tlogs.filter(({ logID }) => logID.equals(keyId));
}

function isWithin({ validFor }: Log, time: Date): boolean {
  return validFor.start <= time && time <= validFor.end;
}

/** The time that the log promised the entry at; without a promise an entry's time is only somebody's word. */
function promisedTime({ inclusionPromise, integratedTime }: TransparencyLogEntry): Step<Date | undefined> {
  if (inclusionPromise === undefined) return { ok: true, value: undefined };
  if (UNIX_TIME.test(integratedTime) && integratedTime !== '0') {
    return { ok: true, value: new Date(Number(integratedTime) * 1000) };
  }
  return failed(refuse('LOG_PROOF_INVALID', `the log's promise is for no time: ${quote(integratedTime)}`));
}

/**
 * Index and time of an entry are signed by its promise alone. Without one they have to be whole, and what follows from
 * the proof: in a log of tiles, which has entries of these kinds only, the index is the one of the proof and there is no
 * time. Rekor v1 counts over all of its trees, so there the index is at least the one in its tree, and the time is not
 * used.
 */
function checkUnsigned(
  { logIndex, integratedTime, inclusionPromise, kindVersion: { kind, version } }: TransparencyLogEntry,
  inclusion: EntryInclusion | undefined,
): Refusal | undefined {
  if (!WHOLE_NUMBER.test(logIndex)) {
    return refuse('LOG_PROOF_INVALID', `the log entry has an invalid index: ${quote(logIndex)}`);
  }
  if (integratedTime !== '0' && !UNIX_TIME.test(integratedTime)) {
    return refuse('LOG_PROOF_INVALID', `the log entry has an invalid time: ${quote(integratedTime)}`);
  }
  if (inclusionPromise !== undefined || inclusion === undefined) return undefined;
  const isTiled = version === '0.0.2' && kind !== 'intoto';
  const fits = isTiled ? BigInt(logIndex) === inclusion.index : BigInt(logIndex) >= inclusion.index;
  if (!fits) {
    const sentence = `the log entry has the index ${logIndex}, its inclusion proof is for ${inclusion.index}`;
    return refuse('LOG_PROOF_INVALID', sentence);
  }
  if (!isTiled || integratedTime === '0') return undefined;
  return refuse('LOG_PROOF_INVALID', 'the log entry has a time that its log never gives and no promise signs');
}

/** Only Rekor v1 has this kind, and cosign never kept more of it than the promise. */
function proveOldIntoto(entry: TransparencyLogEntry, logs: Log[]): LibraryFailure | undefined {
  if (entry.inclusionProof !== undefined) return 'TLOG_INCLUSION_PROOF_ERROR';
  return promiseHolds(entry, logs) ? undefined : 'TLOG_INCLUSION_PROMISE_ERROR';
}

function refuseFailure(failure: LibraryFailure | undefined): Refusal | undefined {
  switch (failure) {
    case undefined:
      return undefined;
    case 'TLOG_BODY_ERROR': {
      const sentence = 'the log entry is not about this signature: its signature, digest or kind is another one';
      return refuse('LOG_ENTRY_MISMATCH', sentence);
    }
    case 'TLOG_INCLUSION_PROMISE_ERROR':
      return refuse('LOG_PROOF_INVALID', "the log's promise (SET) does not hold");
    case 'TLOG_INCLUSION_PROOF_ERROR':
      return refuse('LOG_PROOF_INVALID', "the log's inclusion proof or checkpoint does not hold");
    default:
      return refuse('LOG_PROOF_INVALID', 'the log entry has neither a promise nor an inclusion proof that can be read');
  }
}

/** What the proof and the checkpoint say; the fields of the proof that nobody signed have to agree with the checkpoint. */
function inclusionOf({ inclusionProof: proof }: TransparencyLogEntry): Step<EntryInclusion | undefined> {
  if (proof === undefined) return { ok: true, value: undefined };
  const checkpoint = parseCheckpoint(proof.checkpoint?.envelope ?? '');
  if (checkpoint === undefined) return failed(refuse('LOG_PROOF_INVALID', 'the checkpoint is not one'));
  const { origin, treeSize, rootHash } = checkpoint;
  if (proof.treeSize !== treeSize.toString() || !proof.rootHash.equals(rootHash)) {
    return failed(refuse('LOG_PROOF_INVALID', 'the inclusion proof is for another tree than its checkpoint'));
  }
  if (!WHOLE_NUMBER.test(proof.logIndex)) {
    return failed(refuse('LOG_PROOF_INVALID', `the inclusion proof is for no place: ${quote(proof.logIndex)}`));
  }
  return { ok: true, value: { origin, index: BigInt(proof.logIndex), treeSize, rootHash } };
}
