import type { Envelope } from '../../workflows/verdict/verdict.ts';
import { MAX_ENVELOPE_BYTES, parseWholeEnvelope } from '../verdict-keys/verdict-keys.ts';
import { type Piece, PieceError, Pieces } from './json-pieces.ts';

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
  | { readonly ok: false; readonly problem: string };

/** The parts of a file; its verdicts are parsed one by one when they are asked for. */
export type OfflineParts =
  | { readonly ok: true; readonly policy: Envelope; readonly pieces: readonly Piece[] }
  /** What was expected and what was found, as a sentence. */
  | { readonly ok: false; readonly problem: string };

/** Reads the form of a file of at most {@link MAX_OFFLINE_BYTES}. One part that can't be read spoils all of it. */
export function parseOfflineFile(bytes: Uint8Array): OfflineFileRead {
  const parts = splitOfflineFile(bytes);
  if (!parts.ok) return parts;
  const verdicts: Envelope[] = [];
  for (const piece of parts.pieces) {
    const envelope = envelopeAt(bytes, piece);
    if (envelope === undefined) return problem(`a signed envelope as verdict ${verdicts.length + 1}`, 'something else');
    verdicts.push(envelope);
  }
  return { ok: true, file: { policy: parts.policy, verdicts } };
}

/** Takes a file apart, so that one that holds something else costs no more than its bytes. */
export function splitOfflineFile(bytes: Uint8Array): OfflineParts {
  try {
    return partsOf(bytes, membersOf(bytes));
  } catch (error) {
    if (!(error instanceof PieceError)) throw error;
    return problem('a whole JSON document as "portcullis export" writes it', error.message);
  }
}

/** The envelope that a file has at a place; `undefined` for anything else. */
export function envelopeAt(bytes: Uint8Array, piece: Piece): Envelope | undefined {
  if (piece.end - piece.start > MAX_ENVELOPE_BYTES) return undefined;
  try {
    return parseWholeEnvelope(JSON.parse(new Pieces(bytes).text(piece)));
  } catch {
    return undefined;
  }
}

/** Writes a file so that the same content is the same bytes. */
export function renderOfflineFile({ policy, verdicts }: OfflineFile): string {
  return `${JSON.stringify({ format: OFFLINE_FORMAT, policy, verdicts })}\n`;
}

interface Members {
  readonly format: string | undefined;
  readonly policy: Piece | undefined;
  /** The first {@link MAX_OFFLINE_VERDICTS} of `count`; absent when the member is not a list. */
  readonly verdicts: { readonly pieces: readonly Piece[]; readonly count: number } | undefined;
}

function membersOf(bytes: Uint8Array): Members {
  const reader = new Pieces(bytes);
  const seen = new Set<string>();
  let [format, policy, verdicts]: [Members['format']?, Members['policy']?, Members['verdicts']?] = [];
  reader.object((name) => {
    if (seen.has(name)) throw new PieceError(`${JSON.stringify(name.slice(0, 40))} twice`);
    seen.add(name);
    if (name === 'format') format = reader.text(reader.value()).slice(0, 80);
    else if (name === 'policy') policy = reader.value();
    else if (name === 'verdicts') verdicts = listOf(reader);
    else throw new PieceError(`${JSON.stringify(name.slice(0, 40))} in it`);
  });
  reader.end();
  return { format, policy, verdicts };
}

function listOf(reader: Pieces): Members['verdicts'] {
  const pieces: Piece[] = [];
  let count = 0;
  const isList = reader.list((piece) => {
    count++;
    if (pieces.length < MAX_OFFLINE_VERDICTS) pieces.push(piece);
  });
  if (isList) return { pieces, count };
  reader.value();
  return undefined;
}

function partsOf(bytes: Uint8Array, { format, policy, verdicts }: Members): OfflineParts {
  if (format !== JSON.stringify(OFFLINE_FORMAT)) return problem(`"format": "${OFFLINE_FORMAT}"`, format ?? 'none');
  const statement = policy && envelopeAt(bytes, policy);
  if (statement === undefined) return problem('a signed policy statement as "policy"', 'something else');
  if (verdicts === undefined) return problem('a list as "verdicts"', 'something else');
  if (verdicts.count > MAX_OFFLINE_VERDICTS) {
    return problem(`at most ${MAX_OFFLINE_VERDICTS} verdicts`, `${verdicts.count}`);
  }
  return { ok: true, policy: statement, pieces: verdicts.pieces };
}

function problem(expected: string, found: string): { readonly ok: false; readonly problem: string } {
  return { ok: false, problem: `expected ${expected}, found ${found}` };
}
