import {
  type Certificate,
  caExtensions,
  EKU,
  type Extension,
  extendedKeyUsage,
  issueIntermediate,
  issueRoot,
  type Window,
} from '../../../support/virtual-sigstore/ca.ts';
import {
  bitString,
  boolean,
  context,
  der,
  integer,
  sequence,
  TAG,
  toPem,
} from '../../../support/virtual-sigstore/der.ts';
import { createKeyPair } from '../../../support/virtual-sigstore/key-pair.ts';
import { chainTrust } from '../../../support/virtual-sigstore/trusted-root.ts';
import { BASES } from './bases.ts';
import { type Bend, flip, type Row, rowsOf, SIGNED_AT, sigstore, stranger } from './case.ts';

const at = (seconds: number) => new Date(SIGNED_AT.getTime() + seconds * 1000);
const window = (from: number, until: number): Window => ({ from: at(from), until: at(until) });
const YEAR = 365 * 24 * 3600;

const CODE_SIGNING = '2.5.29.37';
const KEY_USAGE = '2.5.29.15';
const without = (id: string): Bend => ({
  leaf: { extensions: (usual) => usual.filter((extension) => extension.id !== id) },
});
const withExtension = (...more: readonly Extension[]): Bend => ({
  leaf: { extensions: (usual) => [...usual.filter(({ id }) => !more.some((one) => one.id === id)), ...more] },
});
const keyUsage = (bits: number, unused: number): Bend =>
  withExtension({ id: KEY_USAGE, critical: true, value: bitString(Buffer.from([bits]), unused) });

const ECDSA_SHA384 = Buffer.from('2a8648ce3d040303', 'hex');

/** Another certificate with the same key in the bundle and in the log. */
const bytes = (change: (der: Buffer) => Buffer): Bend => ({
  certificate: (usual) => {
    const changed = change(usual.der);
    return { ...usual, der: changed, pem: toPem(changed, 'CERTIFICATE') };
  },
});
const swap = (from: string, to: string) =>
  bytes((usual) => Buffer.from(usual.toString('latin1').replaceAll(from, to), 'latin1'));

/** A trust root with this chain instead of the usual one, and a leaf by its lowest authority. */
const chain = (...certificates: readonly Certificate[]): Bend => ({
  leaf: { ...(certificates[0] === undefined ? {} : { by: certificates[0] }) },
  trust: (plan) => {
    plan.authorities = [chainTrust('https://fulcio.test', certificates, sigstore.window)];
  },
});
const { root, intermediate } = sigstore;
const all = window(-YEAR, YEAR);
const expiredIntermediate = issueIntermediate(root, 'expired', window(-YEAR, -60));
const futureIntermediate = issueIntermediate(root, 'not yet', window(60, YEAR));
const expiredRoot = issueRoot('expired root', window(-YEAR, -60));
const powerless = issueIntermediate(root, 'powerless', all, [{ id: '2.5.29.19', critical: true, value: sequence() }]);
const unsigning = issueIntermediate(root, 'unsigning', all, [
  { id: KEY_USAGE, critical: true, value: bitString(Buffer.from([0x80]), 7) },
  ...caExtensions(0).slice(1),
]);
const subordinate = issueIntermediate(intermediate, 'one too deep', all);
const constrained = issueIntermediate(root, 'constrained', all, [
  ...caExtensions(0),
  {
    id: '2.5.29.30',
    critical: true,
    value: sequence(context(0, sequence(context(6, Buffer.from('other.test'), false)))),
  },
]);
const namesake = issueIntermediate(issueRoot('virtual fulcio root', all), 'virtual fulcio', all);
const stolen = sigstore.issueLeaf();
const selfSigned = createKeyPair();

const authorityWindow = (change: { from?: Date; until?: Date }): Bend => ({
  trust: (plan) => {
    for (const authority of plan.authorities) authority.window = { ...authority.window, ...change };
  },
});

/** Whether the certificate is one for signing, at that time, by somebody trusted. */
export const CERTIFICATE_ROWS: readonly Row[] = [
  ...rowsOf(BASES.keyless, [
    ['a certificate that ended a second before', 'CERTIFICATE_EXPIRED', { leaf: { window: window(-600, -1) } }],
    ['a certificate that began a second after', 'CERTIFICATE_EXPIRED', { leaf: { window: window(1, 600) } }],
    ['a signature from a minute after the certificate', 'CERTIFICATE_EXPIRED', { signedAt: at(360) }],
    [
      'a certificate of the year 2051',
      'CERTIFICATE_EXPIRED',
      { leaf: { window: { from: new Date('2051-01-01'), until: new Date('2051-01-02') } } },
    ],
    ['a certificate that ends before it begins', 'CERTIFICATE_EXPIRED', { leaf: { window: window(300, -300) } }],
    ['an intermediate that had ended', 'CERTIFICATE_EXPIRED', chain(expiredIntermediate, root)],
    ['an intermediate that had not begun', 'CERTIFICATE_EXPIRED', chain(futureIntermediate, root)],
    ['a root that had ended', 'CERTIFICATE_EXPIRED', chain(issueIntermediate(expiredRoot, 'below', all), expiredRoot)],
    ['an authority that is trusted until before', 'CERTIFICATE_EXPIRED', authorityWindow({ until: at(-1) })],
    ['an authority that is trusted from after', 'CERTIFICATE_EXPIRED', authorityWindow({ from: at(1) })],
    ['no extended key usage', 'CERTIFICATE_UNSUITABLE', without(CODE_SIGNING)],
    ['a certificate for servers', 'CERTIFICATE_UNSUITABLE', { leaf: { purposes: [EKU.serverAuth] } }],
    ['a certificate for timestamps', 'CERTIFICATE_UNSUITABLE', { leaf: { purposes: [EKU.timeStamping] } }],
    ['a certificate for any purpose', 'CERTIFICATE_UNSUITABLE', { leaf: { purposes: ['2.5.29.37.0'] } }],
    [
      'an OID that only begins like code signing',
      'CERTIFICATE_UNSUITABLE',
      { leaf: { purposes: [`${EKU.codeSigning}.1`] } },
    ],
    ['an empty list of purposes', 'CERTIFICATE_UNSUITABLE', { leaf: { purposes: [] } }],
    [
      'the purposes twice',
      'CERTIFICATE_UNSUITABLE',
      { leaf: { purposes: [EKU.serverAuth], extensions: (usual) => [...usual, extendedKeyUsage([EKU.codeSigning])] } },
    ],
    [
      'a critical extension of nobody',
      'CERTIFICATE_UNSUITABLE',
      withExtension({ id: '1.3.6.1.4.1.57264.1.99', critical: true, value: der(TAG.null) }),
    ],
    [
      'critical name constraints in a leaf',
      'CERTIFICATE_UNSUITABLE',
      withExtension({ id: '2.5.29.30', critical: true, value: sequence() }),
    ],
    [
      'a critical claim',
      'CERTIFICATE_UNSUITABLE',
      withExtension({ id: '1.3.6.1.4.1.57264.1.11', critical: true, value: Buffer.from('x') }),
    ],
    [
      'the poison of a precertificate',
      'CERTIFICATE_UNSUITABLE',
      withExtension({ id: '1.3.6.1.4.1.11129.2.4.3', critical: true, value: der(TAG.null) }),
    ],
    [
      'the certificate of an authority',
      'CERTIFICATE_UNSUITABLE',
      withExtension({ id: '2.5.29.19', critical: true, value: sequence(boolean(true)) }),
    ],
    ['a key for signing certificates', 'CERTIFICATE_UNSUITABLE', keyUsage(0x84, 2)],
    ['a key for agreement only', 'CERTIFICATE_UNSUITABLE', keyUsage(0x08, 3)],
    ['an authority of somebody else', 'CERTIFICATE_UNTRUSTED', { leaf: { by: stranger.intermediate } }],
    ['an authority of the same name with another key', 'CERTIFICATE_UNTRUSTED', { leaf: { by: namesake } }],
    [
      'the root, without the intermediate, as what is trusted',
      'CERTIFICATE_UNTRUSTED',
      {
        trust: (plan) => {
          plan.authorities = [chainTrust('https://fulcio.test', [root], sigstore.window)];
        },
      },
    ],
    [
      'another root as what is trusted',
      'CERTIFICATE_UNTRUSTED',
      {
        trust: (plan) => {
          plan.authorities = stranger.trustPlan().authorities;
        },
      },
    ],
    [
      'the intermediate over another root',
      'CERTIFICATE_UNTRUSTED',
      {
        trust: (plan) => {
          plan.authorities = [chainTrust('https://fulcio.test', [intermediate, stranger.root], sigstore.window)];
        },
      },
    ],
    [
      'no authority at all in the trust root',
      'CERTIFICATE_UNTRUSTED',
      {
        trust: (plan) => {
          plan.authorities = [];
        },
      },
    ],
    ['the timestamp authority as issuer', 'CERTIFICATE_UNTRUSTED', { leaf: { by: sigstore.tsa.root } }],
    ["a certificate by somebody's signing certificate", 'CERTIFICATE_UNTRUSTED', { leaf: { by: stolen } }],
    [
      'a certificate that signs itself',
      'CERTIFICATE_UNTRUSTED',
      { leaf: { key: selfSigned, by: { subject: sequence(), key: selfSigned } } },
    ],
    ['an intermediate that is no authority', 'CERTIFICATE_UNTRUSTED', chain(powerless, root)],
    ['an intermediate whose key is not for certificates', 'CERTIFICATE_UNTRUSTED', chain(unsigning, root)],
    ['an authority below one that may have none', 'CERTIFICATE_UNTRUSTED', chain(subordinate, intermediate, root)],
    ['an intermediate with constraints on names', 'CERTIFICATE_UNTRUSTED', chain(constrained, root)],
    ["a bit of the certificate's signature", 'CERTIFICATE_UNTRUSTED', bytes((usual) => flip(usual))],
    ['the identity, after it was signed', 'CERTIFICATE_UNTRUSTED', swap('acme/app/.github', 'acme/axx/.github')],
    ['the end of its time, after it was signed', 'CERTIFICATE_UNTRUSTED', swap('260601120500Z', '360601120500Z')],
    ['the tag of the certificate', 'EVIDENCE_MALFORMED', bytes((usual) => flip(usual, 0))],
    [
      "the tag of the certificate's signature",
      'EVIDENCE_MALFORMED',
      bytes((usual) => flip(usual, usual.lastIndexOf(ECDSA_SHA384) + ECDSA_SHA384.length)),
    ],
    ['a byte behind the certificate', 'EVIDENCE_MALFORMED', bytes((usual) => Buffer.concat([usual, Buffer.from([0])]))],
    ['the certificate, cut', 'EVIDENCE_MALFORMED', bytes((usual) => usual.subarray(0, -1))],
    ['a certificate that is an integer', 'EVIDENCE_MALFORMED', bytes(() => integer(7))],
    ['an empty certificate', 'EVIDENCE_MALFORMED', bytes(() => Buffer.alloc(0))],
  ]),
  ...rowsOf(BASES.keyless, [
    [
      'its own chain in a bundle 0.3',
      'CERTIFICATE_UNTRUSTED',
      {
        leaf: { by: stranger.intermediate },
        bundle: ({ verificationMaterial: it }) => {
          it.x509CertificateChain = {
            certificates: [
              it.certificate ?? { rawBytes: '' },
              { rawBytes: stranger.intermediate.der.toString('base64') },
            ],
          };
          delete it.certificate;
        },
      },
    ],
  ]),
  ...rowsOf(BASES.chainBundle, [
    [
      'another certificate before the leaf',
      'SIGNATURE_INVALID',
      {
        bundle: ({ verificationMaterial: it }) => {
          it.x509CertificateChain?.certificates.unshift({ rawBytes: stolen.der.toString('base64') });
        },
      },
    ],
    [
      'its own chain',
      'CERTIFICATE_UNTRUSTED',
      {
        leaf: { by: stranger.intermediate },
        bundle: ({ verificationMaterial: it }) => {
          it.x509CertificateChain?.certificates.push({ rawBytes: stranger.intermediate.der.toString('base64') });
        },
      },
    ],
    [
      'a root in the chain',
      'EVIDENCE_MALFORMED',
      {
        bundle: ({ verificationMaterial: it }) => {
          it.x509CertificateChain?.certificates.push({ rawBytes: root.der.toString('base64') });
        },
      },
    ],
    [
      'no certificate in the chain',
      'EVIDENCE_MALFORMED',
      {
        bundle: ({ verificationMaterial: it }) => {
          it.x509CertificateChain?.certificates.pop();
        },
      },
    ],
  ]),
  ...rowsOf(BASES.stamped, [
    ['a timestamp from before the certificate', 'CERTIFICATE_EXPIRED', { stampedAt: at(-301) }],
    ['a timestamp from after the certificate', 'CERTIFICATE_EXPIRED', { stampedAt: at(301) }],
  ]),
];
