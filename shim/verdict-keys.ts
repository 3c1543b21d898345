import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { preAuthEncoding } from '../workflows/dsse.ts';
import type { Envelope } from '../workflows/verdict.ts';

/** The keys whose signature makes a statement a verdict, by key id (hex SHA-256 of the SPKI). Never empty. */
export type VerdictKeys = ReadonlyMap<string, KeyObject>;

/** A verdict is some KiB; a carrier that sends more than this carries something else. */
const MAX_PAYLOAD_LENGTH = 256 * 1024;

/** One signature for each verdict key that was current when the verdict was signed: two while keys are rotated. */
const MAX_SIGNATURES = 8;

/**
 * Loads the verdict keys of a node: one PEM public key, or all `*.pub` files of a directory. Throws when there is
 * none, because a node without a verdict key could never open its gate.
 */
export async function loadVerdictKeys(path: string): Promise<VerdictKeys> {
  const files = (await stat(path)).isDirectory()
    ? (await readdir(path)).filter((file) => file.endsWith('.pub')).map((file) => join(path, file))
    : [path];
  const keys = new Map<string, KeyObject>();
  for (const file of files) {
    const key = parseVerdictKey(await readFile(file, 'utf8'), file);
    keys.set(
      createHash('sha256')
        .update(key.export({ type: 'spki', format: 'der' }))
        .digest('hex'),
      key,
    );
  }
  if (keys.size === 0)
    throw new Error(
      `verdict keys: expected at least one *.pub file in ${path}, found none; make a pair with "portcullis keys init"`,
    );
  return keys;
}

function parseVerdictKey(pem: string, file: string): KeyObject {
  if (pem.includes('PRIVATE KEY')) {
    throw new Error(`verdict keys: ${file} holds a private key; a node gets the public one only (the .pub file)`);
  }
  try {
    return createPublicKey(pem);
  } catch {
    throw new Error(`verdict keys: expected a PEM public key in ${file}, found something else`);
  }
}

/**
 * Opens an envelope (DSSE protocol, "Verification") and reads its JSON: the content comes out only when a verdict key
 * signed exactly these bytes as this payload type. The key id is a hint and decides nothing.
 */
export function openEnvelope(
  envelope: Envelope,
  payloadType: string,
  keys: VerdictKeys,
): { readonly content: unknown } | undefined {
  if (envelope.payloadType !== payloadType || envelope.payload.length > MAX_PAYLOAD_LENGTH) return undefined;
  const payload = Buffer.from(envelope.payload, 'base64');
  const signed = preAuthEncoding(payloadType, payload);
  const signatures = envelope.signatures.slice(0, MAX_SIGNATURES).map(({ sig }) => Buffer.from(sig, 'base64'));
  const holds = signatures.some((signature) => keys.values().some((key) => verifySignature(key, signed, signature)));
  return holds ? { content: parseJson(payload) } : undefined;
}

/** `undefined` stands for bytes that are no JSON: no statement is written as that. */
function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
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
