import { type KeyObject, verify } from 'node:crypto';
import { preAuthEncoding } from '../../workflows/format/dsse.ts';
import { isRecord } from '../../workflows/format/record.ts';
import { parseStrictJsonText } from '../../workflows/format/strict-json.ts';
import type { Envelope } from '../../workflows/verdict/verdict.ts';
import { endOfWindow, type KeyWindow, positionIn } from './key-window.ts';

/** A key that this node knows, and when it believes it. */
export interface AcceptedKey {
  readonly key: KeyObject;
  readonly window: KeyWindow;
  /** The name of its file, for people. */
  readonly file: string;
}

/** The keys whose signature makes a statement a verdict, by key id (hex SHA-256 of the SPKI). Empty: the gate is shut. */
export type VerdictKeys = ReadonlyMap<string, AcceptedKey>;

/** A key under which a signature holds. It counts when it is also in its window: {@link believe}. */
export interface Signatory extends AcceptedKey {
  readonly keyId: string;
}

/** A verdict is some KiB; a carrier that sends more than this carries something else. */
const MAX_PAYLOAD_LENGTH = 256 * 1024;

/** One signature for each verdict key that was current when the verdict was signed: two while keys are rotated. */
const MAX_SIGNATURES = 8;

/** An ECDSA P-256 or Ed25519 signature takes 96 characters; a key id is a SHA-256 in hex, other tools write longer ones. */
const MAX_SIGNATURE_LENGTH = 512;
const MAX_KEY_ID_LENGTH = 256;
const MAX_PAYLOAD_TYPE_LENGTH = 128;

/** The most that an envelope can take as JSON, in bytes, indented or not. */
export const MAX_ENVELOPE_BYTES =
  MAX_PAYLOAD_LENGTH + MAX_SIGNATURES * (MAX_SIGNATURE_LENGTH + MAX_KEY_ID_LENGTH + 128) + 1024;

/** What an envelope holds, when a verdict key signed it. */
export interface OpenedEnvelope {
  readonly content: unknown;
  readonly signatories: readonly Signatory[];
  /** The same envelope with nothing but the signatures that were accepted: only this is worth keeping. */
  readonly envelope: Envelope;
}

/**
 * Opens an envelope (DSSE protocol, "Verification") and reads its JSON: the content comes out only when a verdict key
 * signed exactly these bytes as this payload type. The key id is a hint and decides nothing. Whether one of the
 * signatories counts is for {@link believe} to say, with the times that the content names.
 */
export function openEnvelope(envelope: Envelope, payloadType: string, keys: VerdictKeys): OpenedEnvelope | undefined {
  if (envelope.payloadType !== payloadType || envelope.payload.length > MAX_PAYLOAD_LENGTH) return undefined;
  const payload = Buffer.from(envelope.payload, 'base64');
  const signed = preAuthEncoding(payloadType, payload);
  const signatures = envelope.signatures.slice(0, MAX_SIGNATURES).map(({ sig }) => Buffer.from(sig, 'base64'));
  const signatories: Signatory[] = [];
  const accepted: Envelope['signatures'][number][] = [];
  for (const [keyId, known] of keys) {
    const signature = signatures.find((one) => verifySignature(known.key, signed, one));
    if (signature === undefined) continue;
    signatories.push({ keyId, ...known });
    accepted.push({ keyid: keyId, sig: signature.toString('base64') });
  }
  if (signatories.length === 0) return undefined;
  const kept = { payloadType, payload: payload.toString('base64'), signatures: accepted.slice(0, MAX_SIGNATURES) };
  return { content: parseJson(payload), signatories, envelope: kept };
}

export type Belief =
  | { readonly ok: true; readonly keyId: string }
  /** A sentence: the key is known, and outside its window. */
  | { readonly ok: false; readonly problem: string };

/** Believes a statement by the first signatory whose window holds all of these times (RFC 3339 or Unix ms). */
export function believe(signatories: readonly Signatory[], ...times: readonly (string | number)[]): Belief {
  const at = times.map((time) => (typeof time === 'string' ? Date.parse(time) : time));
  const good = signatories.find(({ window }) => at.every((time) => positionIn(window, time) === 'inside'));
  if (good !== undefined) return { ok: true, keyId: good.keyId };
  return { ok: false, problem: signatories.map((signatory) => outsideOf(signatory, at)).join('; ') };
}

function outsideOf({ keyId, file, window }: Signatory, times: readonly number[]): string {
  const isOver = times.some((time) => positionIn(window, time) === 'after');
  const end = isOver ? `ended at ${endOfWindow(window.notAfter)}` : `begins at ${endOfWindow(window.notBefore)}`;
  return `key ${keyId.slice(0, 12)} (${file}) is known to this node and outside its window, which ${end}`;
}

/** `undefined` stands for bytes that are not strict JSON: no statement is written as that. */
function parseJson(bytes: Uint8Array): unknown {
  try {
    const json = parseStrictJsonText(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
    return json.ok ? json.value : undefined;
  } catch {
    // Not UTF-8.
    return undefined;
  }
}

function verifySignature(key: KeyObject, data: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verify(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', data, key, signature);
  } catch {
    return false; // a signature that can't even be parsed is no signature
  }
}

/**
 * Reads the shape of an envelope; nothing in it is believed before {@link openEnvelope}. A signature that no verdict key can have made
 * is left out: anyone who carries an envelope can add one.
 */
export function parseEnvelope(value: unknown): Envelope | undefined {
  return readEnvelope(value)?.envelope;
}

/** Reads an envelope that nobody may have added anything to; `undefined` for every other one. */
export function parseWholeEnvelope(value: unknown): Envelope | undefined {
  const read = readEnvelope(value);
  if (read === undefined || read.leftOut > 0) return undefined;
  const { payload, signatures } = read.envelope;
  return payload.length <= MAX_PAYLOAD_LENGTH && signatures.length <= MAX_SIGNATURES ? read.envelope : undefined;
}

const PRINTABLE = /^[\x20-\x7e]*$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

function readEnvelope(value: unknown): { readonly envelope: Envelope; readonly leftOut: number } | undefined {
  if (!isRecord(value)) return undefined;
  const { payloadType, payload, signatures } = value as { [K in keyof Envelope]?: unknown };
  if (!isText(payloadType, MAX_PAYLOAD_TYPE_LENGTH, PRINTABLE)) return undefined;
  if (!isText(payload, Number.POSITIVE_INFINITY, BASE64) || !Array.isArray(signatures)) return undefined;
  const parsed = signatures.map(parseSignature).filter((one) => one !== undefined);
  return { envelope: { payloadType, payload, signatures: parsed }, leftOut: signatures.length - parsed.length };
}

function parseSignature(value: unknown): Envelope['signatures'][number] | undefined {
  if (!isRecord(value)) return undefined;
  const { keyid, sig } = value as { keyid?: unknown; sig?: unknown };
  if (!isText(keyid, MAX_KEY_ID_LENGTH, PRINTABLE) || !isText(sig, MAX_SIGNATURE_LENGTH, BASE64)) return undefined;
  return { keyid, sig };
}

function isText(value: unknown, most: number, alphabet: RegExp): value is string {
  return typeof value === 'string' && value.length <= most && alphabet.test(value);
}
