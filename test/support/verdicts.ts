import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { ALWAYS, type KeyWindow } from '../../shim/verdict-keys/key-window.ts';
import type { VerdictKeys } from '../../shim/verdict-keys/verdict-keys.ts';
import { type Digest, parseDigest } from '../../workflows/format/digest.ts';
import { preAuthEncoding } from '../../workflows/format/dsse.ts';
import type { Envelope, SignedVerdict, Verdict } from '../../workflows/verdict/verdict.ts';
import { STATEMENT_PAYLOAD_TYPE, toStatement } from '../../workflows/verdict/verification-summary.ts';

/** A digest whose every byte is `byte` (two hex digits). */
export function digestOf(byte: string): Digest {
  const digest = parseDigest(`sha256:${byte.repeat(32)}`);
  if (digest === undefined) throw new Error(`${byte} is no byte`);
  return digest;
}

/** The fleet of a test's nodes and workers. */
export const TEST_FLEET = 'test-fleet';

/** An allow that is good now; `changes` bends it. */
export function anAllow(changes: Partial<Verdict> = {}): Verdict {
  return {
    decisionId: '0123456789abc',
    name: '127.0.0.1:5000/demo/app:v1',
    digest: digestOf('ab'),
    fleet: TEST_FLEET,
    outcome: 'allow',
    reasons: [{ code: 'SIGNATURE_VERIFIED', sentence: 'signed by key sha256:12' }],
    policyRevision: 'c'.repeat(64),
    trustRevision: 'd'.repeat(64),
    signers: [{ authority: 'demo/key', identity: `key sha256:${'12'.repeat(32)}`, evidence: digestOf('ee') }],
    decidedAt: new Date(Date.now() - 1_000).toISOString(),
    expiresAt: new Date(Date.now() + 60_000).toISOString(),
    covers: [],
    ...changes,
  };
}

export interface TestVerdictKey {
  readonly keyId: string;
  readonly publicKey: KeyObject;
  /** What a node that knows this key alone believes, by default at any time. */
  accepted(window?: Partial<KeyWindow>): VerdictKeys;
  envelope(payloadType: string, content: unknown): Envelope;
  verdict(verdict: Verdict): SignedVerdict;
}

/** A verdict key of a test's own. */
export function createTestVerdictKey(kind: 'ec' | 'ed25519' = 'ec'): TestVerdictKey {
  const { privateKey, publicKey } =
    kind === 'ec' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519');
  const keyId = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
  const envelope = (payloadType: string, content: unknown): Envelope => {
    const payload = new TextEncoder().encode(typeof content === 'string' ? content : JSON.stringify(content));
    const sig = sign(kind === 'ec' ? 'sha256' : null, preAuthEncoding(payloadType, payload), privateKey);
    return {
      payloadType,
      payload: Buffer.from(payload).toString('base64'),
      signatures: [{ keyid: keyId, sig: sig.toString('base64') }],
    };
  };
  return {
    keyId,
    publicKey,
    accepted: (window = {}) =>
      new Map([[keyId, { key: publicKey, window: { ...ALWAYS, ...window }, file: 'test.pub' }]]),
    envelope,
    verdict: (verdict) => ({ verdict, envelope: envelope(STATEMENT_PAYLOAD_TYPE, toStatement(verdict)) }),
  };
}
