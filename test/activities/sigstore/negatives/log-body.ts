import { isRecord } from '../../../../workflows/format/record.ts';
import { toPem } from '../../../support/virtual-sigstore/der.ts';
import { createKeyPair } from '../../../support/virtual-sigstore/key-pair.ts';
import { BASES } from './bases.ts';
import { type Base, type Bend, otherKey, type Row, releaseKey, rowsOf, sigstore } from './case.ts';

type Path = readonly (string | number)[];

/** The body with one member changed, or taken away; it is logged so, and all proofs are over it. */
const bodyWith = (path: Path, value: unknown): Bend => ({ body: (body) => changed(body, path, value) as object }); // a body stays an object

function changed(node: unknown, [name, ...rest]: Path, value: unknown): unknown {
  if (name === undefined) return value;
  if (Array.isArray(node)) return node.map((member, index) => (index === name ? changed(member, rest, value) : member));
  if (!isRecord(node) || !Object.hasOwn(node, name)) throw new Error(`expected a member ${name}`);
  return { ...node, [name]: changed(node[String(name)], rest, value) };
}

const twice = (path: Path): Bend => ({
  body: (body) => {
    const list = path.reduce<unknown>((node, name) => (isRecord(node) ? node[String(name)] : undefined), body);
    if (!Array.isArray(list)) throw new Error('expected a list');
    return changed(body, path, [...list, ...list]) as object; // a body stays an object
  },
});

const base64 = (bytes: Uint8Array | string) => Buffer.from(bytes).toString('base64');
const otherSignature = base64(otherKey.sign(Buffer.from('other')));
const otherHash = 'b2'.repeat(32);
const otherDigest = base64(Buffer.from(otherHash, 'hex'));
const otherPem = base64(toPem(otherKey.spki, 'PUBLIC KEY'));
const otherLeaf = sigstore.issueLeaf();

/** Another certificate for the same key: good in itself, and not the one that the bundle shows. */
const reissued = { leaf: { key: releaseKey } } as const;
const sameKey = sigstore.issueLeaf({ key: releaseKey });

/** What any entry with PEM says about its signer. */
function pemRows(base: Base, path: Path): readonly Row[] {
  return rowsOf(base, [
    ['another key in the entry', 'LOG_ENTRY_MISMATCH', bodyWith(path, otherPem)],
    ['another certificate in the entry', 'LOG_ENTRY_MISMATCH', bodyWith(path, base64(otherLeaf.pem))],
    [
      'another certificate for the same key in the entry',
      'LOG_ENTRY_MISMATCH',
      { ...reissued, ...bodyWith(path, base64(sameKey.pem)) },
    ],
    [
      'the bare key in the entry',
      'LOG_ENTRY_MISMATCH',
      { ...reissued, ...bodyWith(path, base64(toPem(releaseKey.spki, 'PUBLIC KEY'))) },
    ],
    ['a signer in the entry that is no PEM', 'LOG_ENTRY_MISMATCH', bodyWith(path, base64('junk'))],
    ['a signer in the entry that is no base64', 'LOG_ENTRY_MISMATCH', bodyWith(path, '!')],
    ['no signer in the entry', 'LOG_ENTRY_MISMATCH', bodyWith(path, null)],
  ]);
}

/** What any entry of Rekor 2 says about its signer. */
function rawRows(base: Base, path: Path): readonly Row[] {
  const key = { keyDetails: 'PKIX_ECDSA_P256_SHA_256', publicKey: { rawBytes: base64(otherKey.spki) } };
  const certificate = (der: Buffer) => ({
    keyDetails: 'PKIX_ECDSA_P256_SHA_256',
    x509Certificate: { rawBytes: base64(der) },
  });
  return rowsOf(base, [
    ['another key in the entry', 'LOG_ENTRY_MISMATCH', bodyWith(path, key)],
    ['another certificate in the entry', 'LOG_ENTRY_MISMATCH', bodyWith(path, certificate(otherLeaf.der))],
    [
      'another certificate for the same key in the entry',
      'LOG_ENTRY_MISMATCH',
      { ...reissued, ...bodyWith(path, certificate(sameKey.der)) },
    ],
    ['no signer in the entry', 'LOG_ENTRY_MISMATCH', bodyWith(path, {})],
  ]);
}

const unreadable: readonly (readonly [string, 'LOG_ENTRY_MISMATCH', Bend])[] = [
  ['a body that says another kind', 'LOG_ENTRY_MISMATCH', bodyWith(['kind'], 'rekord')],
  ['a body that says another version', 'LOG_ENTRY_MISMATCH', bodyWith(['apiVersion'], '0.0.9')],
  ['a body without a spec', 'LOG_ENTRY_MISMATCH', bodyWith(['spec'], null)],
  ['a body with an empty spec', 'LOG_ENTRY_MISMATCH', bodyWith(['spec'], {})],
  ['a body whose spec is a list', 'LOG_ENTRY_MISMATCH', bodyWith(['spec'], [])],
];

/** What the log entry is about: truly logged, and about something else. */
export const LOG_BODY_ROWS: readonly Row[] = [
  ...pemRows(BASES.keylessHashed, ['spec', 'signature', 'publicKey', 'content']),
  ...pemRows(BASES.keyless, ['spec', 'signatures', 0, 'verifier']),
  ...pemRows(BASES.keylessIntoto, ['spec', 'content', 'envelope', 'signatures', 0, 'publicKey']),
  ...pemRows(BASES.attachedIntoto1, ['spec', 'publicKey']),
  ...rawRows(BASES.tiled, ['spec', 'hashedRekordV002', 'signature', 'verifier']),
  ...rawRows(BASES.tiledDsse, ['spec', 'dsseV002', 'signatures', 0, 'verifier']),
  ...[
    BASES.keyless,
    BASES.keylessHashed,
    BASES.keylessIntoto,
    BASES.tiled,
    BASES.tiledDsse,
    BASES.attachedIntoto1,
  ].flatMap((base) => rowsOf(base, unreadable)),
  ...rowsOf(BASES.keylessHashed, [
    ['another digest in the entry', 'LOG_ENTRY_MISMATCH', bodyWith(['spec', 'data', 'hash', 'value'], otherHash)],
    ['no digest in the entry', 'LOG_ENTRY_MISMATCH', bodyWith(['spec', 'data', 'hash', 'value'], '')],
    [
      'another signature in the entry',
      'LOG_ENTRY_MISMATCH',
      bodyWith(['spec', 'signature', 'content'], otherSignature),
    ],
    ['no signature in the entry', 'LOG_ENTRY_MISMATCH', bodyWith(['spec', 'signature', 'content'], '')],
  ]),
  ...rowsOf(BASES.keyless, [
    ['another payload in the entry', 'LOG_ENTRY_MISMATCH', bodyWith(['spec', 'payloadHash', 'value'], otherHash)],
    [
      'another signature in the entry',
      'LOG_ENTRY_MISMATCH',
      bodyWith(['spec', 'signatures', 0, 'signature'], otherSignature),
    ],
    ['the signature twice in the entry', 'LOG_ENTRY_MISMATCH', twice(['spec', 'signatures'])],
    ['no signature in the entry', 'LOG_ENTRY_MISMATCH', bodyWith(['spec', 'signatures'], [])],
  ]),
  ...rowsOf(BASES.keylessIntoto, [
    [
      'another payload in the entry',
      'LOG_ENTRY_MISMATCH',
      bodyWith(['spec', 'content', 'payloadHash', 'value'], otherHash),
    ],
    [
      'another signature in the entry',
      'LOG_ENTRY_MISMATCH',
      bodyWith(['spec', 'content', 'envelope', 'signatures', 0, 'sig'], base64(otherSignature)),
    ],
    ['the signature twice in the entry', 'LOG_ENTRY_MISMATCH', twice(['spec', 'content', 'envelope', 'signatures'])],
    ['no signature in the entry', 'LOG_ENTRY_MISMATCH', bodyWith(['spec', 'content', 'envelope', 'signatures'], [])],
  ]),
  ...rowsOf(BASES.attachedIntoto1, [
    ['another envelope in the entry', 'LOG_ENTRY_MISMATCH', bodyWith(['spec', 'content', 'hash', 'value'], otherHash)],
    [
      'an envelope under another algorithm in the entry',
      'LOG_ENTRY_MISMATCH',
      bodyWith(['spec', 'content', 'hash', 'algorithm'], 'sha512'),
    ],
    [
      'another payload in the entry',
      'LOG_ENTRY_MISMATCH',
      bodyWith(['spec', 'content', 'payloadHash', 'value'], otherHash),
    ],
    ['white space in the stored envelope', 'LOG_ENTRY_MISMATCH', { bytes: (text) => `${text} ` }],
    [
      'a key id in the stored envelope',
      'LOG_ENTRY_MISMATCH',
      { bytes: (text) => text.replace('"keyid":""', '"keyid":"x"') },
    ],
  ]),
  ...rowsOf(BASES.tiled, [
    [
      'another digest in the entry',
      'LOG_ENTRY_MISMATCH',
      bodyWith(['spec', 'hashedRekordV002', 'data', 'digest'], otherDigest),
    ],
    [
      'another signature in the entry',
      'LOG_ENTRY_MISMATCH',
      bodyWith(['spec', 'hashedRekordV002', 'signature', 'content'], otherSignature),
    ],
    ['no signature in the entry', 'LOG_ENTRY_MISMATCH', bodyWith(['spec', 'hashedRekordV002', 'signature'], null)],
  ]),
  ...rowsOf(BASES.tiledDsse, [
    [
      'another payload in the entry',
      'LOG_ENTRY_MISMATCH',
      bodyWith(['spec', 'dsseV002', 'payloadHash', 'digest'], otherDigest),
    ],
    [
      'another signature in the entry',
      'LOG_ENTRY_MISMATCH',
      bodyWith(['spec', 'dsseV002', 'signatures', 0, 'content'], otherSignature),
    ],
    ['the signature twice in the entry', 'LOG_ENTRY_MISMATCH', twice(['spec', 'dsseV002', 'signatures'])],
  ]),
  ...rowsOf(BASES.keyedLogged, [
    ['another key in the entry', 'LOG_ENTRY_MISMATCH', bodyWith(['spec', 'signatures', 0, 'verifier'], otherPem)],
    [
      'a certificate for another key in the entry',
      'LOG_ENTRY_MISMATCH',
      bodyWith(['spec', 'signatures', 0, 'verifier'], base64(otherLeaf.pem)),
    ],
    [
      'an entry about another signature by the same key',
      'LOG_ENTRY_MISMATCH',
      { logged: (it) => ({ ...it, signature: releaseKey.sign(Buffer.from('other')) }) },
    ],
  ]),
  ...rowsOf(BASES.keyedTiled, [
    [
      'another key in the entry',
      'LOG_ENTRY_MISMATCH',
      bodyWith(
        ['spec', 'hashedRekordV002', 'signature', 'verifier', 'publicKey', 'rawBytes'],
        base64(createKeyPair().spki),
      ),
    ],
    [
      'a point that is no key in the entry',
      'LOG_ENTRY_MISMATCH',
      bodyWith(['spec', 'hashedRekordV002', 'signature', 'verifier', 'publicKey', 'rawBytes'], 'AAAA'),
    ],
  ]),
];
