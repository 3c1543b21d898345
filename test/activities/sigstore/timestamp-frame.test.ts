import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import type { Evidence } from '../../../activities/sigstore/evidence/evidence.ts';
import { bytesAsSigned } from '../../../activities/sigstore/evidence/signed.ts';
import { parsePublicKey } from '../../../activities/sigstore/key/key.ts';
import { proveTimestamp } from '../../../activities/sigstore/timestamp.ts';
import { caExtensions, issue, issueRoot } from '../../support/virtual-sigstore/ca.ts';
import {
  der,
  integer,
  octetString,
  oid,
  sequence,
  setOf,
  TAG,
  toPem,
  utf8String,
} from '../../support/virtual-sigstore/der.ts';
import { createVirtualSigstore } from '../../support/virtual-sigstore/sigstore.ts';
import { trustMaterial } from '../../support/virtual-sigstore/trusted-root.ts';

const AT = new Date('2026-06-01T12:00:00Z');
const sigstore = createVirtualSigstore(AT);
const { tsa, window } = sigstore;
const trust = trustMaterial(sigstore.trustPlan());
const key = parsePublicKey(toPem(sigstore.rekorV1.key.spki, 'PUBLIC KEY'));
assert.ok(key.ok);
const signature = Buffer.from('a signature');
const evidence: Evidence = {
  signer: { kind: 'key', hint: '' },
  signature,
  signed: bytesAsSigned(signature),
  payload: { kind: 'artifact' },
  entries: [],
  timestamps: [],
};
const signing = { evidence, key: key.key, certificate: undefined };
const codeOf = (response: Buffer) => {
  const step = proveTimestamp(response, signing, trust);
  return step.ok ? 'proven' : step.refusal.code;
};
const imprint = createHash('sha256').update(signature).digest();
const bare = tsa.answer({ hash: 'sha256', imprint }, AT);
const withCertificates = tsa.answer({ hash: 'sha256', imprint, certificates: true }, AT);

/** A value, taken apart as far as a bend needs it. */
interface Node {
  readonly tag: number;
  readonly content: Buffer;
}

const parts = (bytes: Buffer): readonly Node[] => {
  const found: Node[] = [];
  for (let at = 0; at < bytes.length; ) {
    const first = bytes.readUInt8(at + 1);
    const count = first < 0x80 ? 0 : first & 0x7f;
    const length = count === 0 ? first : bytes.readUIntBE(at + 2, count);
    const start = at + 2 + count;
    found.push({ tag: bytes.readUInt8(at), content: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return found;
};

type Change = (nodes: readonly Buffer[]) => readonly Buffer[];

/** The response with other values in what stands at a place: `[1, 1, 0]` is the signed data. */
function changed(response: Buffer, path: readonly number[], change: Change): Buffer {
  const [root] = parts(response);
  assert.ok(root !== undefined);
  return rebuilt(root, path, change);
}

function rebuilt({ tag, content }: Node, path: readonly number[], change: Change): Buffer {
  const nodes = parts(content);
  const [index, ...rest] = path;
  const written = nodes.map((node) => der(node.tag, node.content));
  if (index === undefined) return der(tag, ...change(written));
  const node = nodes.at(index);
  assert.ok(node !== undefined, 'expected a value there');
  return der(tag, ...written.with(index, rebuilt(node, rest, change)));
}

const STATUS = [0];
const TOKEN = [1];
const SIGNED_DATA = [1, 1, 0];
const HASHES = [...SIGNED_DATA, 1];
const SIGNERS = [...SIGNED_DATA, -1];
const SIGNER = [...SIGNERS, 0];
const CERTIFICATES = [...SIGNED_DATA, 3];

const add =
  (...more: readonly Buffer[]): Change =>
  (nodes) => [...nodes, ...more];
const replace =
  (index: number, value: Buffer): Change =>
  (nodes) =>
    nodes.with(index, value);
const insert =
  (index: number, value: Buffer): Change =>
  (nodes) =>
    nodes.toSpliced(index, 0, value);

const sha256 = oid('2.16.840.1.101.3.4.2.1');
const sha512 = oid('2.16.840.1.101.3.4.2.3');
const stranger = issueRoot('stranger', window);
const rootSpec = { commonName: 'virtual timestamp authority root', window, extensions: caExtensions() };
/** The root's name and key in a certificate that someone else made. */
const crossSigned = issue(stranger, tsa.root.key, rootSpec);
const renamedRoot = issue({ ...tsa.root, subject: stranger.subject }, tsa.root.key, {
  ...rootSpec,
  commonName: 'stranger',
});

const REFUSED: readonly (readonly [what: string, response: Buffer, code?: string])[] = [
  ['a failure info', changed(bare, STATUS, add(der(0x03, Buffer.from([0x00, 0x80]))))],
  ['a status text that is not text', changed(bare, STATUS, add(sequence(octetString(Buffer.from('a')))))],
  ['a status text that is not UTF-8', changed(bare, STATUS, add(sequence(der(TAG.utf8String, Buffer.from([0xff])))))],
  ['a status in two bytes', changed(bare, STATUS, () => [der(TAG.integer, Buffer.from([0, 0]))])],
  ['a status of another kind', changed(bare, STATUS, () => [der(TAG.boolean, Buffer.from([0]))])],
  ['a status that waits', changed(bare, STATUS, () => [integer(3)])],
  ['something behind the token', changed(bare, [], add(sequence()))],
  ['something behind the signed data', changed(bare, TOKEN, add(der(TAG.null)))],
  ['version 2 of signed data', changed(bare, SIGNED_DATA, replace(0, integer(2)))],
  ['another hash beside the one of the signer', changed(bare, HASHES, add(sequence(sha512)))],
  ['another hash than the one of the signer', changed(bare, HASHES, () => [sequence(sha512)])],
  ['a hash with parameters', changed(bare, HASHES, () => [sequence(sha256, octetString(Buffer.from('a')))])],
  ['a revocation list', changed(withCertificates, SIGNED_DATA, insert(4, der(0xa1, sequence())))],
  ['a revocation list in place of certificates', changed(bare, SIGNED_DATA, insert(3, der(0xa1, sequence())))],
  ['no signer', changed(bare, SIGNERS, () => [])],
  ['two signers', changed(bare, SIGNERS, (nodes) => [...nodes, ...nodes])],
  ['version 3 of the signer', changed(bare, SIGNER, replace(0, integer(3)))],
  ['unsigned attributes', changed(bare, SIGNER, add(der(0xa1, sequence(oid('1.2.3'), setOf(integer(1))))))],
  ['empty unsigned attributes', changed(bare, SIGNER, add(der(0xa1)))],
  ['a signature algorithm that is not known', changed(bare, SIGNER, replace(4, sequence(oid('1.2.840.10045.4.3.9'))))],
  ['the name of an RSA signature', changed(bare, SIGNER, replace(4, sequence(oid('1.2.840.113549.1.1.11'))))],
  [
    'parameters of the signature',
    changed(bare, SIGNER, (nodes) =>
      nodes.with(4, rebuilt(parts(nodes[4] ?? bare)[0] ?? { tag: 0, content: bare }, [], add(integer(1)))),
    ),
  ],
  ['a signature in two parts', changed(bare, SIGNER, (nodes) => nodes.with(5, der(0x24, nodes[5] ?? bare)))],
  ['a certificate of a stranger', changed(withCertificates, CERTIFICATES, add(stranger.der))],
  ['a certificate of a stranger alone', changed(withCertificates, CERTIFICATES, () => [stranger.der])],
  ['one certificate twice', changed(withCertificates, CERTIFICATES, (nodes) => [...nodes, ...nodes.slice(0, 1)])],
  ['a certificate that is no certificate', changed(withCertificates, CERTIFICATES, add(sequence(integer(1))))],
  ['a certificate in another form', changed(withCertificates, CERTIFICATES, add(der(0xa1, sequence())))],
  ['a root of its key under another name', changed(withCertificates, CERTIFICATES, add(renamedRoot.der))],
  ['a root of its name and key that a stranger signed', changed(withCertificates, CERTIFICATES, add(crossSigned.der))],
  [
    'eleven certificates',
    changed(withCertificates, CERTIFICATES, () => Array.from({ length: 11 }, () => stranger.der)),
  ],
  [
    'a length in more bytes than it takes',
    Buffer.concat([bare.subarray(0, 1), Buffer.from([0x83, 0]), bare.subarray(2)]),
  ],
  ['an indefinite length', Buffer.concat([Buffer.from([0x30, 0x80]), bare.subarray(4), Buffer.from([0, 0])])],
  ['an attribute twice', changed(bare, [...SIGNER, 3], (nodes) => [...nodes, ...nodes.slice(0, 1)])],
  ['no content type among the attributes', changed(bare, [...SIGNER, 3], (nodes) => nodes.slice(1))],
];

describe('the frame of a timestamp', () => {
  it('is read as it was made, with certificates and without', () => {
    assert.equal(codeOf(bare), 'proven');
    assert.equal(codeOf(withCertificates), 'proven');
    assert.equal(codeOf(changed(bare, [], (nodes) => nodes)), 'proven');
  });

  it('may have what Sigstore never writes and other authorities do', () => {
    for (const response of [
      changed(bare, STATUS, () => [integer(1)]),
      changed(bare, STATUS, add(sequence(utf8String('Operation Okay')))),
      changed(bare, HASHES, () => []),
      changed(bare, HASHES, () => [sequence(sha256)]),
      changed(bare, SIGNED_DATA, replace(0, integer(1))),
      changed(withCertificates, CERTIFICATES, (nodes) => nodes.slice(0, 1)),
      changed(withCertificates, CERTIFICATES, (nodes) => nodes.toReversed()),
      changed(withCertificates, CERTIFICATES, () => []),
    ]) {
      assert.equal(codeOf(response), 'proven');
    }
  });

  for (const [what, response] of REFUSED) {
    it(`is refused with ${what}`, () => assert.equal(codeOf(response), 'TIMESTAMP_INVALID'));
  }
});

/** What other verifiers accept of each response. */
const MOST_ACCEPTED_FLIPS = 90;

describe('every bit of a timestamp', () => {
  const RESPONSES: readonly (readonly [string, Buffer, number, number?])[] = [
    ['without certificates', bare, 2],
    ['with certificates', withCertificates, 2],
    // Its first bytes: each letter of the text may be another one, as long as it is UTF-8.
    ['with a status text', changed(bare, STATUS, add(sequence(utf8String('ok')))), 15, 24],
  ];
  for (const [what, response, expected, bytes = response.length] of RESPONSES) {
    it(`${what} is authenticated, but for those of the listed places`, () => {
      const accepted = flips(response, bytes).filter(({ bent }) => codeOf(bent) === 'proven');
      assert.deepEqual(
        accepted.filter(({ bent }) => !differsInListedPlaces(response, bent)).map(({ bit }) => bit),
        [],
      );
      assert.equal(accepted.length, expected);
      assert.ok(accepted.length <= MOST_ACCEPTED_FLIPS);
    });
  }
});

function flips(response: Buffer, bytes: number): readonly { readonly bit: number; readonly bent: Buffer }[] {
  return Array.from({ length: bytes * 8 }, (_, bit) => {
    const bent = Buffer.from(response);
    bent.writeUInt8(bent.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    return { bit, bent };
  });
}

/** Granted in either way, its text, and the version of the signed data: all else has to be the same. */
function differsInListedPlaces(before: Buffer, after: Buffer): boolean {
  const blank = (response: Buffer) =>
    changed(
      changed(response, STATUS, () => []),
      SIGNED_DATA,
      replace(0, integer(3)),
    );
  return blank(before).equals(blank(after));
}
