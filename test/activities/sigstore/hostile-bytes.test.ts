import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeBase64 } from '../../../activities/text/base64.ts';
import { quote } from '../../../activities/text/quote.ts';
import {
  cosignBundle,
  cosignPayload,
  cosignStatement,
  createSigningKey,
  encodeJson,
  type KeyKind,
  signBundle,
  signSimple,
} from '../../support/signer.ts';
import { DIGEST, goodKey, REPOSITORY, verdictOf } from './verdict-of.ts';

const signerOf = (kind: KeyKind) => {
  const key = createSigningKey(kind);
  return { kind, key, own: goodKey(key.publicPem) };
};
const ecdsa = signerOf('ECDSA P-256');
const signers = [ecdsa, signerOf('RSA 2048'), signerOf('Ed25519')];
const flip = { at: fc.nat(), mask: fc.integer({ min: 1, max: 255 }) };

for (const { kind, key, own } of signers) {
  const document = signBundle(key, cosignStatement(DIGEST));
  const { payload, signatures, payloadType } = document.dsseEnvelope;
  const simple = signSimple(key, cosignPayload(DIGEST, REPOSITORY));

  test(`${kind}: no bent byte of the envelope's payload, type or signature is valid`, () => {
    const [sig = ''] = signatures.map((one) => one.sig);
    const part = fc.constantFrom('payload', 'payloadType', 'sig');
    fc.assert(
      fc.property(part, flip.at, flip.mask, (which, at, mask) => {
        const envelope = {
          payload: which === 'payload' ? bendBase64(payload, at, mask) : payload,
          payloadType: which === 'payloadType' ? bendText(payloadType, at, mask) : payloadType,
          signatures: [{ sig: which === 'sig' ? bendBase64(sig, at, mask) : sig }],
        };
        const bundle = encodeJson({ ...document, dsseEnvelope: envelope });
        assert.notEqual(verdictOf({ format: 'bundle', bundle }, own), 'valid');
      }),
      { numRuns: 500 },
    );
  });

  test(`${kind}: no bent byte of a simple signing payload or signature is valid`, () => {
    fc.assert(
      fc.property(fc.boolean(), flip.at, flip.mask, (inPayload, at, mask) => {
        const bent = inPayload
          ? { ...simple, payload: bendBytes(simple.payload, at, mask) }
          : { ...simple, signature: bendBase64(simple.signature, at, mask) };
        assert.notEqual(verdictOf(bent, own), 'valid');
      }),
      { numRuns: 500 },
    );
  });
}

test('bending the bytes of a bundle anywhere never throws, and is valid only where nothing signed changed', () => {
  const { key, own } = ecdsa;
  const whole = cosignBundle(key, DIGEST);
  fc.assert(
    fc.property(flip.at, flip.mask, (at, mask) => {
      const bundle = bendBytes(whole, at, mask);
      if (verdictOf({ format: 'bundle', bundle }, own) !== 'valid') return;
      assert.deepEqual(envelopeIn(bundle), envelopeIn(whole));
    }),
    { numRuns: 1_000 },
  );
});

test('a truncated bundle is never valid, at no length', () => {
  const { key, own } = ecdsa;
  const whole = cosignBundle(key, DIGEST);
  for (let length = 0; length < whole.length; length++) {
    assert.match(verdictOf({ format: 'bundle', bundle: whole.subarray(0, length) }, own), /^EVIDENCE_MALFORMED: /);
  }
});

test('random bytes and random JSON in the place of a bundle are refused, on one line', () => {
  const names = fc.constantFrom(
    ...[
      'mediaType',
      'verificationMaterial',
      'publicKey',
      'hint',
      'tlogEntries',
      'dsseEnvelope',
      'payload',
      'payloadType',
    ],
    ...['signatures', 'sig', '__proto__', 'constructor', 'toString', 'length', '$case'],
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 5 },
      fc.jsonValue({ maxDepth: 0 }),
      fc.array(tie('tree')),
      fc.dictionary(names, tie('tree')),
    ),
  }));
  const document = signBundle(createSigningKey('ECDSA P-256'), cosignStatement(DIGEST));
  const json = fc
    .record({ part: fc.constantFrom('verificationMaterial', 'dsseEnvelope', 'mediaType'), tree })
    .map((bend) => encodeJson({ ...document, [bend.part]: bend.tree }));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), json), (bundle) => {
      for (const { own } of signers)
        assert.match(verdictOf({ format: 'bundle', bundle }, own), /^[A-Z_]+: [\x20-\x7e]+$/);
    }),
    { numRuns: 1_000 },
  );
});

test('random payloads and signatures are refused, on one line', () => {
  const signature = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64')),
  );
  fc.assert(
    fc.property(fc.uint8Array(), signature, (payload, text) => {
      const simple = { format: 'simple-signing', payload, signature: text } as const;
      for (const { own } of signers) assert.match(verdictOf(simple, own), /^[A-Z_]+: [\x20-\x7e]+$/);
    }),
  );
});

test('base64 has one spelling', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => decodeBase64(Buffer.from(bytes).toString('base64'))?.equals(bytes)),
  );
  fc.assert(
    fc.property(fc.string(), (text) => {
      const bytes = decodeBase64(text);
      return bytes === undefined || bytes.toString('base64') === text;
    }),
  );
  for (const other of ['AA', 'AA=', 'AB==', 'A A=', 'AAAA\n', '-_-_', '=', 'AA==AA=='])
    assert.equal(decodeBase64(other), undefined);
});

test('a quotation is one line of printable ASCII, short, and tells what it hides', () => {
  assert.equal(quote('a"\\\n\u202eé'), '"a\\u0022\\u005c\\u000a\\u202e\\u00e9"');
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 500 }), (text) => /^"[\x20-\x7e]{0,723}"$/.test(quote(text))),
  );
});

/** The envelope by its bytes: one that is spelt in another way is the same signature. */
function envelopeIn(bundle: Uint8Array): unknown {
  const bytes = (name: string, value: unknown): unknown =>
    (name === 'payload' || name === 'sig') && typeof value === 'string' ? Buffer.from(value, 'base64') : value;
  const document: unknown = JSON.parse(Buffer.from(bundle).toString(), bytes);
  assert.ok(typeof document === 'object' && document !== null && 'dsseEnvelope' in document);
  return document.dsseEnvelope;
}

function bendBytes(bytes: Uint8Array, at: number, mask: number): Uint8Array {
  const bent = Uint8Array.from(bytes);
  const index = at % bent.length;
  bent[index] = (bent[index] ?? 0) ^ mask;
  return bent;
}

function bendBase64(text: string, at: number, mask: number): string {
  return Buffer.from(bendBytes(Buffer.from(text, 'base64'), at, mask)).toString('base64');
}

function bendText(text: string, at: number, mask: number): string {
  return Buffer.from(bendBytes(Buffer.from(text), at, mask % 127 || 1)).toString('latin1');
}
