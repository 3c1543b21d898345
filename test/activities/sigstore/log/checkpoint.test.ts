import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { countCosignatures, isSignedBy, parseCheckpoint } from '../../../../activities/sigstore/log/checkpoint.ts';
import { createKeyPair, type KeyPair, sha256 } from '../../../support/virtual-sigstore/key-pair.ts';
import {
  checkpointText,
  createWitness,
  noteKeyId,
  signatureLine,
  signNote,
} from '../../../support/virtual-sigstore/note.ts';

const ROOT = sha256('a tree');
const V1_ORIGIN = 'rekor.example - 1193050959916656506';
const V2_ORIGIN = 'log.example';
const ecdsa = createKeyPair('ECDSA P-256');
const ed25519 = createKeyPair('Ed25519');

const v1 = signNote(checkpointText({ origin: V1_ORIGIN, size: 7, root: ROOT, extensions: ['Timestamp: 1700000000'] }), [
  { name: 'rekor.example', key: ecdsa, keyId: sha256(ecdsa.spki) },
]);
const v2Text = checkpointText({ origin: V2_ORIGIN, size: 7, root: ROOT });
const v2 = signNote(v2Text, [{ name: V2_ORIGIN, key: ed25519, keyId: noteKeyId(V2_ORIGIN, 1, ed25519) }]);

describe('a checkpoint', () => {
  it('is read as Rekor v1 and Rekor v2 write it', () => {
    for (const [note, origin] of [
      [v1, V1_ORIGIN],
      [v2, V2_ORIGIN],
    ] as const) {
      const checkpoint = parsed(note);
      assert.equal(checkpoint.origin, origin);
      assert.equal(checkpoint.treeSize, 7n);
      assert.deepEqual(checkpoint.rootHash, ROOT);
      assert.equal(note.startsWith(`${checkpoint.signedText}\n`), true);
      assert.equal(checkpoint.signatures.length, 1);
    }
  });

  it('is read as the C2SP documents show it', () => {
    const checkpoint = parsed(EXAMPLE);
    assert.equal(checkpoint.origin, 'example.com/behind-the-sofa');
    assert.equal(checkpoint.treeSize, 20852163n);
    assert.equal(checkpoint.signatures[1]?.name, 'witness.example.com/w1');
    assert.equal(checkpoint.signatures[1]?.signature.readBigUInt64BE(0), 1679315147n);
  });

  const malformed: Readonly<Record<string, string>> = {
    'is empty': '',
    'has no signature': v2Text,
    'has no signature line after the empty line': `${v2Text}\n`,
    'lacks the newline at its end': v2.slice(0, -1),
    'has a second empty line': v2.replace('\n\n', '\n\n\n'),
    'has an empty line in its text': v2.replace('log.example\n', 'log.example\n\n'),
    'has no origin': v2.replace('log.example\n', '\n'),
    'has a size with a leading zero': v2.replace('\n7\n', '\n07\n'),
    'has three lines by one key': `${v2}${v2.slice(v2.lastIndexOf('\u2014')).repeat(2)}`,
    'has a negative size': v2.replace('\n7\n', '\n-7\n'),
    'has a size in hexadecimal': v2.replace('\n7\n', '\n0x7\n'),
    'has no size': v2.replace('\n7\n', '\n'),
    'has a size that nothing counts to': v2.replace('\n7\n', `\n${'9'.repeat(19)}\n`),
    'has a root of another length': v2.replace(ROOT.toString('base64'), ROOT.subarray(1).toString('base64')),
    'has a root that is not base64': v2.replace(ROOT.toString('base64'), '*'.repeat(44)),
    'has a root with stray bits': v2.replace(/(\n[A-Za-z0-9+/]{42})[A-Za-z0-9+/]=\n/, '$1B=\n'),
    'has carriage returns': v2.replaceAll('\n', '\r\n'),
    'has a control character': v2.replace('log', 'l\u0000g'),
    'has half a character': v2.replace('log', 'l\ud800g'),
    'has a hyphen for the dash': v2.replace('\u2014', '-'),
    'has a signature line without a name': v2.replace(/\u2014 log\.example /, '\u2014 '),
    'has a name with a plus': v2.replace('\u2014 log.example', '\u2014 log+example'),
    'has a name with a no-break space': v2.replace('\u2014 log.example', '\u2014 log\u00a0example'),
    'has a signature of no bytes': `${v2Text}\n\u2014 log.example ${Buffer.alloc(4).toString('base64')}\n`,
    'has text after its signatures': `${v2}more\n`,
    'has too many signatures': `${v2}${(v2.split('\n\n')[1] ?? '').repeat(100)}`,
    'is too long': `${v2Text}${'x'.repeat(64 * 1024)}\n\n${v2.split('\n\n')[1]}`,
  };
  for (const [what, note] of Object.entries(malformed)) {
    it(`is none when it ${what}`, () => {
      assert.notEqual(note, v2);
      assert.equal(parseCheckpoint(note), undefined);
    });
  }

  it('never throws, and never lets a text through that is not signed', () => {
    fc.assert(
      fc.property(fc.nat(v2.length - 1), fc.string({ unit: 'binary', maxLength: 3 }), (at, text) => {
        const bent = `${v2.slice(0, at)}${text}${v2.slice(at + 1)}`;
        const checkpoint = parseCheckpoint(bent);
        if (checkpoint === undefined || !isSignedBy(checkpoint, ed25519.publicKey, V2_ORIGIN)) return;
        assert.equal(checkpoint.signedText, v2Text);
      }),
    );
  });
});

describe('the signature of a checkpoint', () => {
  it('holds under the log key, of every kind', () => {
    for (const kind of ['ECDSA P-256', 'ECDSA P-384', 'ECDSA P-521', 'RSA 2048', 'Ed25519'] as const) {
      const key = createKeyPair(kind);
      const note = signNote(v2Text, [{ name: V2_ORIGIN, key, keyId: sha256(key.spki) }]);
      assert.equal(signed(note, key), true, kind);
      assert.equal(signed(note, createKeyPair(kind)), false, kind);
    }
  });

  it('is found by the key ids that Rekor v2 gives', () => {
    const rsa = createKeyPair('RSA 2048');
    const rsaId = sha256(`${V2_ORIGIN}\n`, Buffer.from([255]), 'PKIX-RSA-PKCS#1v1.5', rsa.spki);
    assert.equal(signed(signNote(v2Text, [{ name: V2_ORIGIN, key: rsa, keyId: rsaId }]), rsa), true);
    assert.equal(signed(v2, ed25519), true);
  });

  it('is not looked for under another key id', () => {
    assert.equal(signed(signNote(v2Text, [{ name: V2_ORIGIN, key: ed25519, keyId: Buffer.alloc(4) }]), ed25519), false);
  });

  it('has to be in the name of the log, where it has one', () => {
    const elsewhere = signNote(v2Text, [{ name: 'other.example', key: ed25519, keyId: sha256(ed25519.spki) }]);
    assert.equal(signed(elsewhere, ed25519, 'other.example'), true);
    assert.equal(signed(elsewhere, ed25519, V2_ORIGIN), false);
    assert.equal(isSignedBy(parsed(v1), ecdsa.publicKey, undefined), true);
  });

  it('may stand among others, whoever made them', () => {
    const lines = v2.split('\n\n')[1] ?? '';
    const foreign = signatureLine('other.example', Buffer.alloc(4), Buffer.alloc(64));
    assert.equal(signed(`${v2Text}\n${foreign}${lines}${foreign}`, ed25519), true);
  });

  it('does not hold over another size or root', () => {
    assert.equal(signed(v2.replace('\n7\n', '\n8\n'), ed25519), false);
    assert.equal(signed(v2.replace(ROOT.toString('base64'), sha256('b').toString('base64')), ed25519), false);
  });

  it('does not hold with bytes that no signature has', () => {
    const note = `${v2Text}\n${signatureLine('log.example', sha256(ecdsa.spki), Buffer.from([1]))}`;
    assert.equal(signed(note, ecdsa), false);
  });
});

describe('co-signatures', () => {
  const witnesses = ['w1.example', 'w2.example', 'w3.example'].map(createWitness);
  const known = witnesses.map(({ name, key }) => ({ name, publicKey: key.publicKey }));
  const [first, second] = witnesses;
  assert.ok(first !== undefined && second !== undefined);
  const time = new Date('2026-11-25T00:00:00Z');

  it('count once for each witness', () => {
    assert.equal(countCosignatures(v2, known), 0);
    assert.equal(countCosignatures(`${v2}${first.cosign(v2Text, time)}`, known), 1);
    const twice = `${v2}${first.cosign(v2Text, time)}${first.cosign(v2Text, new Date(0))}`;
    assert.equal(countCosignatures(twice, known), 1);
    assert.equal(countCosignatures(`${twice}${second.cosign(v2Text, time)}`, known), 2);
  });

  it('of one key under two names count once', () => {
    const alias = { ...first, name: 'alias.example' };
    const line = (name: string) => {
      const bytes = Buffer.from(first.cosign(v2Text, time).trimEnd().split(' ')[2] ?? '', 'base64');
      return signatureLine(name, noteKeyId(name, 4, first.key), bytes.subarray(4));
    };
    const both = [...known, { name: alias.name, publicKey: first.key.publicKey }];
    assert.equal(countCosignatures(`${v2}${line(first.name)}${line(alias.name)}`, both), 1);
  });

  it('of a witness that is named twice count once', () => {
    assert.equal(countCosignatures(`${v2}${first.cosign(v2Text, time)}`, [...known, ...known]), 1);
  });

  it('by nobody we know do not count', () => {
    assert.equal(countCosignatures(`${v2}${createWitness('w1.example').cosign(v2Text, time)}`, known), 0);
    assert.equal(countCosignatures(`${v2}${createWitness('w9.example').cosign(v2Text, time)}`, known), 0);
  });

  it('over another text or time do not count', () => {
    const other = checkpointText({ origin: V2_ORIGIN, size: 8, root: ROOT });
    assert.equal(countCosignatures(`${v2}${first.cosign(other, time)}`, known), 0);
    const bytes = Buffer.from(first.cosign(v2Text, time).trimEnd().split(' ')[2] ?? '', 'base64');
    bytes.writeBigUInt64BE(0n, 4);
    const moved = signatureLine(first.name, bytes, bytes.subarray(4));
    assert.equal(countCosignatures(`${v2}${moved}`, known), 0);
  });

  it('that are plain signatures do not count', () => {
    const plain = signatureLine(first.name, noteKeyId(first.name, 4, first.key), first.key.sign(Buffer.from(v2Text)));
    assert.equal(countCosignatures(`${v2}${plain}`, known), 0);
    const asLog = signNote(v2Text, [{ name: first.name, key: first.key, keyId: noteKeyId(first.name, 1, first.key) }]);
    assert.equal(countCosignatures(asLog, known), 0);
  });

  it('never count on what is no checkpoint, or by a key of another kind', () => {
    assert.equal(countCosignatures('', known), 0);
    assert.equal(countCosignatures(v2, [{ name: 'w', publicKey: ecdsa.publicKey }]), 0);
  });
});

function parsed(note: string) {
  const checkpoint = parseCheckpoint(note);
  assert.ok(checkpoint !== undefined);
  return checkpoint;
}

function signed(note: string, key: KeyPair, name = V2_ORIGIN): boolean {
  return isSignedBy(parsed(note), key.publicKey, name);
}

/** From C2SP tlog-cosignature. */
const EXAMPLE = `example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
\u2014 witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
`;
