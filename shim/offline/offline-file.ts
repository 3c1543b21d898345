import { isRecord } from '../../workflows/record.ts';
import type { Envelope } from '../../workflows/verdict.ts';
import { isOfUsualSize, parseEnvelope } from '../verdict-keys.ts';

/** Says what a file is before anything else in it is read. */
export const OFFLINE_FORMAT = 'portcullis.dev/offline-verdicts/v1';

/** 10,000 verdicts of some 3 KiB are half of it. */
export const MAX_OFFLINE_BYTES = 64 * 1024 * 1024;

/** As many as a node keeps of its own. */
export const MAX_OFFLINE_VERDICTS = 10_000;

/** What is carried to a node without a network. None of it is believed before its signatures are checked. */
export interface OfflineFile {
  /** The signed policy statement under which the verdicts count. */
  readonly policy: Envelope;
  /** May be none: then the file carries revocations alone. */
  readonly verdicts: readonly Envelope[];
}

export type OfflineFileRead =
  | { readonly ok: true; readonly file: OfflineFile }
  /** What was expected and what was found, as a sentence. */
  | { readonly ok: false; readonly problem: string };

/** Reads the form of a file of at most {@link MAX_OFFLINE_BYTES}. One part that can't be read spoils all of it. */
export function parseOfflineFile(bytes: Uint8Array): OfflineFileRead {
  const json = parseJson(bytes);
  if (!isRecord(json)) return problem('a whole JSON document as "portcullis export" writes it', 'something else');
  const { format, policy, verdicts } = json as { [K in 'format' | keyof OfflineFile]?: unknown };
  if (format !== OFFLINE_FORMAT) {
    return problem(`"format": "${OFFLINE_FORMAT}"`, (JSON.stringify(format) ?? 'none').slice(0, 80));
  }
  const statement = parseCarried(policy);
  if (statement === undefined) return problem('a signed policy statement as "policy"', 'something else');
  if (!Array.isArray(verdicts)) return problem('a list as "verdicts"', 'something else');
  if (verdicts.length > MAX_OFFLINE_VERDICTS) {
    return problem(`at most ${MAX_OFFLINE_VERDICTS} verdicts`, `${verdicts.length}`);
  }
  const envelopes = verdicts.map(parseCarried);
  const wrong = envelopes.indexOf(undefined);
  if (wrong >= 0) return problem(`a signed envelope as verdict ${wrong + 1}`, 'something else');
  return { ok: true, file: { policy: statement, verdicts: envelopes.filter((one) => one !== undefined) } };
}

/** Writes a file so that the same content is the same bytes. */
export function renderOfflineFile({ policy, verdicts }: OfflineFile): string {
  return `${JSON.stringify({ format: OFFLINE_FORMAT, policy, verdicts })}\n`;
}

function parseCarried(value: unknown): Envelope | undefined {
  const envelope = parseEnvelope(value);
  return envelope !== undefined && isOfUsualSize(envelope) ? envelope : undefined;
}

function problem(expected: string, found: string): OfflineFileRead {
  return { ok: false, problem: `expected ${expected}, found ${found}` };
}

/** `undefined` stands for bytes that are no JSON. */
function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
