import type { BundleDocument } from '../virtual-sigstore/evidence.ts';

/**
 * A kind of evidence that portcullis accepts and the package `sigstore` does not. There is no other: what portcullis accepts by
 * certificate and the package refuses without a line here is a failure.
 */
export interface Exception {
  /** Names of the evidence, as the tests give them. */
  readonly evidence: readonly string[];
  readonly reason: string;
  /** What the package says. */
  readonly says: RegExp;
  /** Takes away what the package can't read, and nothing else: the rest it accepts. Missing where there is no rest. */
  readonly reduce?: Reduction;
}

export type Reduction =
  /** Changes the bundle, or answers another one. */
  | { readonly kind: 'bundle'; readonly change: (bundle: BundleDocument) => unknown }
  /** The same fields by their JSON names. */
  | { readonly kind: 'json-names' }
  /** The bundle as it is; no subject is asked for. */
  | { readonly kind: 'without-subject' };

const NAMES = 'the package knows e-mail addresses and URIs as subjects of a certificate, Fulcio issues others as well';
const BESIDE =
  'junk beside a good signature changes nothing here; the package refuses a bundle for any piece that does not hold';

/** Bases that `independent-judge.test.ts` has signed by certificates for other curves. */
const CURVED = [
  'keyless bundle, Rekor v1',
  'keyless bundle, hashedrekord in Rekor v1',
  'keyless bundle, Rekor v2 and a timestamp',
  'keyless bundle, a timestamp only',
  '.sig layer, keyless',
  '.att layer, keyless, dsse 0.0.1',
];

/** Bases that `independent-judge.test.ts` judges by an issuing authority alone. */
const PINNED = [
  'keyless bundle, Rekor v1',
  'keyless bundle, Rekor v2 and a timestamp',
  'keyless bundle, a timestamp only',
  '.sig layer, keyless',
  '.att layer, keyless, dsse 0.0.1',
];

export const EXCEPTIONS: readonly Exception[] = [
  {
    evidence: ['keyless bundle, no log and no timestamp'],
    reason: 'the package wants a proven time; a policy with a private authority may judge by the time of the pull',
    says: /^expected 1 timestamps, got 0$/,
  },
  {
    evidence: [
      '.att layer, keyless, intoto 0.0.1',
      '.att layer, keyless, intoto 0.0.1: each log listed twice, the signature in the second of its windows',
      '.att layer, keyless, intoto 0.0.1: each log listed twice, the signature in the first of its windows',
      '.att layer, keyless, intoto 0.0.1: the id of the log also under another key',
    ],
    reason: 'the package reads intoto entries from 0.0.2 on; cosign 1 and 2 logged attestations as 0.0.1',
    says: /^unsupported intoto version: 0\.0\.1$/,
  },
  {
    evidence: ['blob-v1.json, by its digest'],
    reason: 'the package wants the bytes that were signed; a conformance client is given their digest alone',
    says: /^signature verification failed$/,
  },
  {
    evidence: ['keyless bundle, Rekor v1: a DNS name', 'keyless bundle, Rekor v1: a user name'],
    reason: NAMES,
    says: /^certificate identity error - expected \S+, got undefined$/,
    reduce: { kind: 'without-subject' },
  },
  {
    evidence: ['othername.sigstore.json, by its digest'],
    reason:
      'the package looks for checkpoints signed by the host name of the log; a trusted root may name the signer (origin)',
    says: /^invalid checkpoint signature$/,
  },
  {
    evidence: ["keyless bundle, Rekor v1: a stranger's entry beside the good one"],
    reason: BESIDE,
    says: /^inclusion promise could not be verified$/,
    reduce: { kind: 'bundle', change: ({ verificationMaterial }) => firstOnly(verificationMaterial.tlogEntries) },
  },
  {
    evidence: ["keyless bundle, a timestamp only: a stranger's timestamp beside the good one"],
    reason: BESIDE,
    says: /^timestamp could not be verified$/,
    reduce: {
      kind: 'bundle',
      change: ({ verificationMaterial }) =>
        firstOnly(verificationMaterial.timestampVerificationData?.rfc3161Timestamps),
    },
  },
  {
    evidence: ['.att layer, keyless, dsse 0.0.1: a timestamp over the whole envelope'],
    reason: 'cosign 2 stamps the envelope of an attestation, the package reads timestamps over the signature in it',
    says: /^timestamp could not be verified$/,
    reduce: { kind: 'bundle', change: ({ verificationMaterial: it }) => delete it.timestampVerificationData },
  },
  {
    evidence: PINNED.map((base) => `${base}: an authority without its root`),
    reason: 'the package follows every chain to a root; a trust root may pin the authority that issues, as for cosign',
    says: /^Failed to verify certificate chain$/,
  },
  {
    evidence: ['keyless bundle, Rekor v1: original names of fields'],
    reason: 'the package reads the JSON names of fields alone; protobuf JSON allows the original names as well',
    says: /^invalid bundle$/,
    reduce: {
      kind: 'bundle',
      change: (bundle) =>
        renamed(bundle, (name) => name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())),
    },
  },
  {
    evidence: CURVED.flatMap((base) => ['ECDSA P-384', 'ECDSA P-521'].map((curve) => `${base}: ${curve}`)),
    reason:
      'the package hashes with SHA-256 whatever the curve; Sigstore pairs P-384 with SHA-384 and P-521 with SHA-512',
    says: /^(signature verification failed|digest mismatch)$/,
  },
  {
    evidence: ['keyless bundle, Rekor v1: the certificate timestamp of a stranger where none is wanted'],
    reason: 'the package verifies a certificate timestamp that is there, also where a policy wants none',
    says: /^SCT verification failed$/,
  },
  {
    evidence: ['keyless bundle, Rekor v1: a second entry'],
    reason:
      'the package refuses two entries of the same second; here each is proven, and the second counts for nothing',
    says: /^duplicate timestamp$/,
    reduce: { kind: 'bundle', change: ({ verificationMaterial }) => firstOnly(verificationMaterial.tlogEntries) },
  },
  {
    evidence: ['keyless bundle, Rekor v1: a chain in a bundle 0.3, as cosign writes on request'],
    reason: 'cosign writes a chain into a bundle 0.3 when it is told to, where the format wants one certificate',
    says: /^invalid bundle$/,
    reduce: {
      kind: 'bundle',
      change: ({ verificationMaterial: it }) => {
        const [certificate] = it.x509CertificateChain?.certificates ?? [];
        if (certificate !== undefined) it.certificate = certificate;
        delete it.x509CertificateChain;
      },
    },
  },
  {
    evidence: ['keyless bundle, Rekor v1: a trust root that ends in the authority that issues'],
    reason:
      'the package follows every chain to a certificate that signs itself; cosign and Go stop at the one that is trusted',
    says: /^Failed to verify certificate chain$/,
  },
  {
    evidence: ['keyless bundle, Rekor v1: the original names of all fields'],
    reason: 'the package reads JSON names alone; proto JSON has the original names too, and Go reads both',
    says: /^invalid bundle$/,
    reduce: { kind: 'json-names' },
  },
];

/** The same JSON with other names for its fields. */
export function renamed(value: unknown, rename: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map((one) => renamed(one, rename));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [rename(name), renamed(field, rename)]));
}

function firstOnly(list: unknown[] | undefined): void {
  list?.splice(1);
}
