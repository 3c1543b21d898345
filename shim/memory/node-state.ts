import { isRecord } from '../../workflows/format/record.ts';
import { parseStrictJsonText } from '../../workflows/format/strict-json.ts';
import { parseRevocations } from '../../workflows/revocations.ts';
import type { Envelope } from '../../workflows/verdict/verdict.ts';
import { readState } from '../host/read-state.ts';
import { parseWholeEnvelope } from '../verdict-keys/verdict-keys.ts';
import { openKeptFile } from './kept-file.ts';
import { fitsNode, MAX_KEPT_SIGNERS, type SignerRevocations } from './signed-revocations.ts';

/** Its name in the state folder. */
export const NODE_STATE_FILE = 'policy-head.json';

/** What a node has accepted from its workers. */
export interface NodeState {
  /**
   * What they revoked, by the keys that signed it. It was accepted once, and can only refuse: so it needs no proof, and no
   * key, window or clock of today makes a node forget it.
   */
  readonly revocations: readonly SignerRevocations[];
  /** The newest policy statement with its accepted signatures, which is checked again before it is used. */
  readonly statement: Envelope | undefined;
}

export type NodeStateRead =
  | { readonly kind: 'none' }
  | { readonly kind: 'state'; readonly state: NodeState }
  | { readonly kind: 'unreadable'; readonly problem: string };

/** Never throws. */
export interface NodeStateFile {
  read(): NodeStateRead;
  /** Takes the space for it on the disk. Answers why it can't. */
  reserve(): string | undefined;
  /** Answers why it was not kept. What it accepts, {@link read} returns. */
  write(state: NodeState): string | undefined;
}

const FORMAT = 'portcullis.dev/node-state/v1';

/** 20,000 revoked digests take 1.5 MB, 4,000 names of lists 1.3 MB, and the statement 0.3 MB. */
const MAX_BYTES = 4 * 1024 * 1024 - 4096;

/** A statement as versions before this file had it. */
const MAX_BARE_BYTES = 512 * 1024;

/** More values and names than such a file has. */
const MAX_TOKENS = 100_000;

export function openNodeState(path: string): NodeStateFile {
  const file = openKeptFile(path, MAX_BYTES);
  return {
    read() {
      const read = file.read();
      if (read.kind === 'none') return read;
      const state = read.kind === 'text' ? parseState(read.text) : readBareStatement(path);
      if (state !== undefined) return { kind: 'state', state };
      const problem = read.kind === 'unreadable' ? read.problem : `expected a state of this version in ${path}`;
      return { kind: 'unreadable', problem };
    },
    reserve: () => file.reserve(),
    write(state) {
      const text = renderState(state);
      if (parseState(text) === undefined) return 'expected a statement as a worker signs it, found something else';
      return file.write(text);
    },
  };
}

function renderState({ revocations, statement }: NodeState): string {
  return JSON.stringify({ format: FORMAT, revocations, ...(statement === undefined ? {} : { statement }) });
}

function parseState(text: string): NodeState | undefined {
  const json = parseStrictJsonText(text, MAX_TOKENS);
  if (!json.ok || !isRecord(json.value)) return undefined;
  const { format, statement, ...rest } = json.value as { [K in keyof NodeState | 'format']?: unknown };
  const revocations = parseSigners(rest.revocations);
  if (format !== FORMAT || revocations === undefined) return undefined;
  if (statement === undefined) return { revocations, statement: undefined };
  const envelope = parseWholeEnvelope(statement);
  return envelope && { revocations, statement: envelope };
}

function parseSigners(value: unknown): readonly SignerRevocations[] | undefined {
  if (!Array.isArray(value) || value.length > MAX_KEPT_SIGNERS) return undefined;
  const signers = value.map(parseSigner).filter((one) => one !== undefined);
  const isWhole = signers.length === value.length && new Set(signers.map(({ keyId }) => keyId)).size === value.length;
  return isWhole && fitsNode(signers) ? signers : undefined;
}

function parseSigner(value: unknown): SignerRevocations | undefined {
  if (!isRecord(value)) return undefined;
  const { keyId, revocations } = value as { [K in keyof SignerRevocations]?: unknown };
  const lists = parseRevocations(revocations);
  if (typeof keyId !== 'string' || !/^[0-9a-f]{64}$/.test(keyId) || lists === undefined) return undefined;
  return { keyId, revocations: lists };
}

/** Its revocations are not known before its signature is checked. */
function readBareStatement(path: string): NodeState | undefined {
  const read = readState(path, MAX_BARE_BYTES);
  const json = read.kind === 'content' ? parseStrictJsonText(read.bytes.toString(), MAX_TOKENS) : undefined;
  const statement = json?.ok === true ? parseWholeEnvelope(json.value) : undefined;
  return statement && { revocations: [], statement };
}
