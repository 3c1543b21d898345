/** Which cosign made it: 2.6 or 3.1. */
export type Generation = 2 | 3;

/** One way in which people sign: everything about it that cosign lets them choose. */
export interface Scenario {
  readonly writer: Generation;
  readonly kind: 'signature' | 'attestation';
  /** `legacy` are the `.sig` and `.att` tags. */
  readonly format: 'bundle' | 'legacy';
  readonly signer: 'P-256' | 'P-384' | 'RSA' | 'keyless';
  readonly log: 'none' | 'v1' | 'v2';
  readonly timestamps: boolean;
}

/** The kinds of key, in cosign's and in {@link createSigningKey}'s words. */
export const KEYS = { 'P-256': 'ECDSA P-256', 'P-384': 'ECDSA P-384', RSA: 'RSA 2048' } as const;

export function nameOf({ writer, kind, format, signer, log, timestamps }: Scenario): string {
  const form = format === 'bundle' ? 'bundle' : kind === 'signature' ? '.sig' : '.att';
  const trust = [signer, log === 'none' ? 'no log' : `Rekor ${log}`, ...(timestamps ? ['TSA'] : [])];
  return `cosign ${writer} ${kind} ${form}: ${trust.join(', ')}`;
}

type Trust = Pick<Scenario, 'signer' | 'log' | 'timestamps'>;

const BUNDLE_TRUST: readonly Trust[] = [
  { signer: 'P-256', log: 'none', timestamps: false },
  { signer: 'P-256', log: 'v1', timestamps: false },
  { signer: 'P-256', log: 'v2', timestamps: true },
  { signer: 'P-384', log: 'none', timestamps: false },
  { signer: 'RSA', log: 'v1', timestamps: false },
  { signer: 'keyless', log: 'v1', timestamps: false },
  { signer: 'keyless', log: 'v2', timestamps: true },
  { signer: 'keyless', log: 'none', timestamps: true },
];

const LEGACY_TRUST: readonly Trust[] = [
  { signer: 'P-256', log: 'none', timestamps: false },
  { signer: 'P-256', log: 'v1', timestamps: false },
  { signer: 'P-384', log: 'none', timestamps: false },
  { signer: 'RSA', log: 'v1', timestamps: false },
  { signer: 'keyless', log: 'v1', timestamps: false },
  { signer: 'keyless', log: 'v1', timestamps: true },
];

/** Attestations go the same way as signatures; the kinds of key make no difference that the signatures don't show. */
const isForAttestations = ({ signer }: Trust): boolean => signer === 'P-256' || signer === 'keyless';

export const SCENARIOS: readonly Scenario[] = [
  ...BUNDLE_TRUST.map((trust) => ({ writer: 3, kind: 'signature', format: 'bundle', ...trust }) as const),
  ...BUNDLE_TRUST.filter(isForAttestations).map(
    (trust) => ({ writer: 3, kind: 'attestation', format: 'bundle', ...trust }) as const,
  ),
  ...([2, 3] as const).flatMap((writer) => [
    ...LEGACY_TRUST.map((trust) => ({ writer, kind: 'signature', format: 'legacy', ...trust }) as const),
    ...LEGACY_TRUST.filter(isForAttestations).map(
      (trust) => ({ writer, kind: 'attestation', format: 'legacy', ...trust }) as const,
    ),
  ]),
];
