import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseCertificate } from '../../../../activities/sigstore/certificate/parse.ts';
import { isReadable } from '../../../../activities/sigstore/key/der-effort.ts';
import { der, octetString, sequence, TAG, toPem } from '../../../support/virtual-sigstore/der.ts';
import { BASES } from '../negatives/bases.ts';
import { judgementOf, sigstore } from '../negatives/case.ts';

/** Octet strings that reach out of one another, in less than 300 bytes: `@sigstore/core` 4.0.1 never comes back from them. */
const TRAP = octetString(Buffer.from('0402047b'.repeat(70), 'hex'));

const leaf = sigstore.issueLeaf().der;
/** A certificate that is trapped in one of its extensions. */
const trapped = sigstore.issueLeaf({
  extensions: (usual) => [...usual, { id: '1.2.3.4', critical: false, value: TRAP }],
});

describe('the effort of reading DER', () => {
  it('is bounded for what is really read', () => {
    assert.equal(isReadable(leaf), true);
    assert.equal(isReadable(sigstore.tsa.stamp(Buffer.from('a signature'), sigstore.now)), true);
    assert.ok(parseCertificate(leaf).publicKey.length > 0);
  });

  const UNREADABLE: readonly (readonly [what: string, bytes: Uint8Array])[] = [
    ['octet strings that reach out of one another', TRAP],
    ['the same in a sequence', sequence(TRAP)],
    ['the same in a hundred kilobytes', octetString(Buffer.from('0402047b'.repeat(25_000), 'hex'))],
    ['tens of thousands of elements', sequence(...Array.from({ length: 30_000 }, () => der(TAG.null)))],
  ];
  for (const [what, bytes] of UNREADABLE) {
    it(`is too great for ${what}`, () => {
      assert.equal(isReadable(bytes), false);
      assert.throws(
        () => parseCertificate(bytes),
        /expected a certificate, found DER that would take too long to read/,
      );
    });
  }
});

describe('evidence that is a trap for its reader', () => {
  it('is refused as a certificate', () => {
    for (const bytes of [TRAP, sequence(TRAP), trapped.der]) {
      const judgement = judgementOf(BASES.keyless, {
        bundle: ({ verificationMaterial }) => {
          verificationMaterial.certificate = { rawBytes: bytes.toString('base64') };
        },
      });
      assert.match(judgement, /^EVIDENCE_MALFORMED: /);
    }
  });

  it('is refused as a certificate in a chain', () => {
    const judgement = judgementOf(BASES.chainBundle, {
      bundle: ({ verificationMaterial }) => {
        verificationMaterial.x509CertificateChain?.certificates.push({ rawBytes: TRAP.toString('base64') });
      },
    });
    assert.match(judgement, /^EVIDENCE_MALFORMED: /);
  });

  it('is refused as the certificate beside a legacy signature', () => {
    const certificate = toPem(TRAP, 'CERTIFICATE');
    const judgement = judgementOf(BASES.legacy, { annotations: (usual) => ({ ...usual, certificate }) });
    assert.match(judgement, /^EVIDENCE_MALFORMED: /);
  });

  it('is refused as a timestamp', () => {
    for (const bytes of [TRAP, sequence(TRAP)]) {
      const judgement = judgementOf(BASES.tiled, { stamps: () => [bytes.toString('base64')] });
      assert.match(judgement, /^TIMESTAMP_INVALID: /);
    }
  });

  it('is refused as the certificate that a log entry names', () => {
    const judgement = judgementOf(BASES.keyedTiled, {
      body: (body) => {
        const text = JSON.stringify(body).replace(
          /"verifier":\{.*?"keyDetails"/,
          `"verifier":{"x509Certificate":{"rawBytes":"${TRAP.toString('base64')}"},"keyDetails"`,
        );
        return JSON.parse(text);
      },
    });
    assert.match(judgement, /^LOG_ENTRY_MISMATCH: /);
  });
});
