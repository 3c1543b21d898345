import { exactly } from '../../../../activities/sigstore/requirement/text-pattern.ts';
import type { SubjectName } from '../../../support/virtual-sigstore/fulcio-extensions.ts';
import { envelopeJson, type Signed } from '../../../support/virtual-sigstore/log-body.ts';
import { WORKFLOW_ISSUER } from '../../../support/virtual-sigstore/sigstore.ts';
import { BASES, wants } from './bases.ts';
import { type Base, type Bend, otherKey, SIGNED_AT, sigstore, stranger } from './case.ts';
import { checkpoint, entry } from './log-bends.ts';

const at = (seconds: number) => new Date(SIGNED_AT.getTime() + seconds * 1000);
const named = (name: SubjectName & { readonly text: string }): Bend => ({
  leaf: { names: [name] },
  require: (it) =>
    it.signer.kind === 'key'
      ? it
      : {
          ...it,
          signer: { ...it.signer, identities: [{ issuer: exactly(WORKFLOW_ISSUER), subject: exactly(name.text) }] },
        },
});

/** As protobuf's writers write it when they are asked to keep the names of the `.proto` files. */
function originalNames(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(originalNames);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [
      name === 'payloadType' ? name : name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      originalNames(one),
    ]),
  );
}

function stored({ content, signature }: Signed): string {
  return content.kind === 'envelope' ? envelopeJson({ envelope: content.envelope, signature }) : '';
}

/** What may differ and still holds: the edges that the negatives are on the other side of. */
export const POSITIVES: readonly (readonly [base: Base, what: string, bend: Bend])[] = [
  [
    BASES.keyless,
    'a trust root that ends in the authority that issues',
    {
      trust: (plan) => {
        for (const authority of plan.authorities) authority.certificates.splice(1);
      },
    },
  ],
  [
    BASES.keyless,
    'the original names of all fields',
    { bytes: (text) => JSON.stringify(originalNames(JSON.parse(text))) },
  ],
  [
    BASES.keyless,
    'a signature and a certificate in base64url without padding',
    {
      // a short signature may be the same in both alphabets, a certificate is not
      bytes: (text) =>
        text.replaceAll(
          /"(sig|rawBytes)":"([^"]+)"/g,
          (_, name: string, base64: string) => `"${name}":"${Buffer.from(base64, 'base64').toString('base64url')}"`,
        ),
    },
  ],
  [
    BASES.keyless,
    'a certificate that begins with the signature',
    { leaf: { window: { from: SIGNED_AT, until: at(600) } } },
  ],
  [
    BASES.keyless,
    'a certificate that ends with the signature',
    { leaf: { window: { from: at(-600), until: SIGNED_AT } } },
  ],
  [BASES.keyless, 'the issuer in the older extension only', { leaf: { issuer: { v1: WORKFLOW_ISSUER } } }],
  [BASES.keyless, 'the issuer in the newer extension only', { leaf: { issuer: { v2: WORKFLOW_ISSUER } } }],
  [BASES.keyless, 'an e-mail address as name', named({ kind: 'email', text: 'dev@acme.test' })],
  [BASES.keyless, 'a DNS name', named({ kind: 'dns', text: 'build.acme.test' })],
  [BASES.keyless, 'a user name', named({ kind: 'other', text: 'dev!acme.test' })],
  [
    BASES.keyless,
    'purposes more than code signing',
    { leaf: { purposes: ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.3'] } },
  ],
  [
    BASES.keyless,
    "a stranger's authority beside ours",
    {
      trust: (plan) => {
        plan.authorities.unshift(...stranger.trustPlan().authorities);
      },
    },
  ],
  [
    BASES.keyless,
    'no certificate timestamp where none is wanted',
    { leaf: { scts: { logs: [] } }, require: wants({ scts: 0 }) },
  ],
  [
    BASES.keyless,
    "an entry at the first moment of the log's key",
    {
      trust: (plan) => {
        for (const log of plan.logs) log.window = { from: SIGNED_AT };
      },
    },
  ],
  [
    BASES.keyless,
    "an entry at the last moment of the log's key",
    {
      trust: (plan) => {
        for (const log of plan.logs) log.window = { from: log.window.from, until: SIGNED_AT };
      },
    },
  ],
  [
    BASES.keyless,
    'a timestamp beside the log',
    { stamps: (_, { signature }) => [sigstore.tsa.stamp(signature, at(1)).toString('base64')] },
  ],
  [
    BASES.keyless,
    'the log and a timestamp where the policy wants two observers',
    {
      stamps: (_, { signature }) => [sigstore.tsa.stamp(signature, at(1)).toString('base64')],
      require: wants({ observers: 2 }),
    },
  ],
  [BASES.keyless, 'a signature line of somebody else', checkpoint((text) => `${text}— witness.test AAAAAAAA\n`)],
  [
    BASES.stamped,
    'an imprint of SHA-384',
    { stamps: (_, { signature }) => [sigstore.tsa.stamp(signature, SIGNED_AT, 'sha384').toString('base64')] },
  ],
  [
    BASES.keyedLogged,
    'an entry without a promise',
    entry((it) => {
      delete it.inclusionPromise;
      delete it.integratedTime;
    }),
  ],
  [
    BASES.keyed,
    'a key hint of somebody else',
    {
      bundle: ({ verificationMaterial: it }) => {
        it.publicKey = { hint: otherKey.keyId };
      },
    },
  ],
  [
    BASES.keyed,
    'a key id of somebody else',
    {
      bundle: (it) => {
        for (const signature of it.dsseEnvelope?.signatures ?? []) signature.keyid = otherKey.keyId;
      },
    },
  ],
  [
    BASES.legacy,
    'another certificate behind the right one',
    { annotations: (usual) => ({ ...usual, certificate: usual.certificate + stranger.root.pem }) },
  ],
  [
    BASES.legacy,
    'a chain of a stranger',
    { annotations: (usual) => ({ ...usual, chain: stranger.intermediate.pem + stranger.root.pem }) },
  ],
  [BASES.legacy, 'an empty chain', { annotations: (usual) => ({ ...usual, chain: '' }) }],
  [
    BASES.attached,
    'a timestamp over the whole envelope',
    {
      stamps: (_, signed) => [sigstore.tsa.stamp(Buffer.from(stored(signed)), SIGNED_AT).toString('base64')],
      require: wants({ timestamps: 1 }),
    },
  ],
  [
    BASES.keyless,
    "a stranger's entry beside the good one",
    {
      entries: (usual) => [
        ...usual,
        ...usual.map((one) =>
          stranger.rekorV1.entry(stranger.rekorV1.append(Buffer.from(one.canonicalizedBody, 'base64'), SIGNED_AT)),
        ),
      ],
    },
  ],
  [
    BASES.stamped,
    "a stranger's timestamp beside the good one",
    { stamps: (usual, { signature }) => [...usual, stranger.tsa.stamp(signature, SIGNED_AT).toString('base64')] },
  ],
  [
    BASES.keyless,
    'a chain in a bundle 0.3, as cosign writes on request',
    {
      bundle: ({ verificationMaterial: it }) => {
        it.x509CertificateChain = {
          certificates: [
            it.certificate ?? { rawBytes: '' },
            { rawBytes: sigstore.intermediate.der.toString('base64') },
          ],
        };
        delete it.certificate;
      },
    },
  ],
];
