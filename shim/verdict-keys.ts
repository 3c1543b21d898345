import { type KeyObject, verify } from 'node:crypto';
import { preAuthEncoding } from '../workflows/dsse.ts';
import { parseStrictJsonText } from '../workflows/strict-json.ts';
import type { Envelope } from '../workflows/verdict.ts';
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

/** Whether an envelope is as large as a signed statement may be. */
export function isOfUsualSize({ payload, signatures }: Envelope): boolean {
  return payload.length <= MAX_PAYLOAD_LENGTH && signatures.length <= MAX_SIGNATURES;
}

/**
 * Opens an envelope (DSSE protocol, "Verification") and reads its JSON: the content comes out only when a verdict key
 * signed exactly these bytes as this payload type. The key id is a hint and decides nothing. Whether one of the
 * signatories counts is for {@link believe} to say, with the times that the content names.
 */
export function openEnvelope(
  envelope: Envelope,
  payloadType: string,
  keys: VerdictKeys,
): { readonly content: unknown; readonly signatories: readonly Signatory[] } | undefined {
  if (envelope.payloadType !== payloadType || envelope.payload.length > MAX_PAYLOAD_LENGTH) return undefined;
  const payload = Buffer.from(envelope.payload, 'base64');
  const signed = preAuthEncoding(payloadType, payload);
  const signatures = envelope.signatures.slice(0, MAX_SIGNATURES).map(({ sig }) => Buffer.from(sig, 'base64'));
  const signatories: Signatory[] = [];
  for (const [keyId, accepted] of keys) {
    if (!signatures.some((signature) => verifySignature(accepted.key, signed, signature))) continue;
    signatories.push({ keyId, ...accepted });
  }
  return signatories.length > 0 ? { content: parseJson(payload), signatories } : undefined;
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

/** Reads the shape of an envelope; nothing in it is believed before {@link openEnvelope}. */
export function parseEnvelope(value: unknown): Envelope | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { payloadType, payload, signatures } = value as { [K in keyof Envelope]?: unknown };
  if (typeof payloadType !== 'string' || typeof payload !== 'string' || !Array.isArray(signatures)) return undefined;
  const parsed = signatures.map((one: unknown) => {
    const { keyid, sig } = (typeof one === 'object' && one !== null ? one : {}) as { keyid?: unknown; sig?: unknown };
    return typeof keyid === 'string' && typeof sig === 'string' ? { keyid, sig } : undefined;
  });
  return { payloadType, payload, signatures: parsed.filter((one) => one !== undefined) };
}
