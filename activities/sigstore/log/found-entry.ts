import type { TransparencyLogEntry } from '@sigstore/bundle';
import { TransparencyLogEntry as Format } from '@sigstore/protobuf-specs';
import { MAX_TLOG_ENTRIES } from '../../limits.ts';
import { readProto } from '../proto-json.ts';
import { LOG_ENTRY } from '../proto-messages.ts';
import type { FoundEntry } from './looked-up-entry.ts';

/** Reads what a look-up found; what is no entry proves nothing, and is left out. */
export function readFoundEntries(found: readonly FoundEntry[]): readonly TransparencyLogEntry[] {
  return found.slice(0, MAX_TLOG_ENTRIES).flatMap((document) => {
    const entry = readEntry(document);
    return entry === undefined ? [] : [entry];
  });
}

function readEntry(document: FoundEntry): TransparencyLogEntry | undefined {
  const read = readProto(LOG_ENTRY, document, { unknownFields: 'tolerate' });
  if (!read.ok) return undefined;
  const { logId, kindVersion, ...others } = Format.fromJSON(read.value);
  return logId === undefined || kindVersion === undefined ? undefined : { ...others, logId, kindVersion };
}
