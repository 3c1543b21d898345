import type { KeyObject } from 'node:crypto';
import type { X509Certificate } from '@sigstore/core';
import type { TrustMaterial } from '@sigstore/verify';
import { parseCertificate } from '../sigstore/certificate/parse.ts';
import type { ClaimRule, IdentityRule, Requirement, SignerRequirement } from '../sigstore/requirement/requirement.ts';
import { compilePattern, exactly, type TextPattern } from '../sigstore/requirement/text-pattern.ts';

type Authority = TrustMaterial['certificateAuthorities'][number];
type Log = TrustMaterial['tlogs'][number];
type Keyless = Extract<SignerRequirement, { readonly kind: 'keyless' }>;

/** A requirement in a form that can be sent to a thread: certificates as DER, patterns as they were written, no functions. */
export interface RequirementMessage extends Omit<Requirement, 'signer' | 'trust'> {
  readonly signer: SignerMessage;
  readonly trust: TrustMessage;
}

export type SignerMessage =
  | Extract<SignerRequirement, { readonly kind: 'key' }>
  | (Omit<Keyless, 'identities' | 'claims'> & {
      readonly identities: readonly { readonly issuer: PatternMessage; readonly subject: PatternMessage }[];
      readonly claims: readonly { readonly claim: ClaimRule['claim']; readonly value: PatternMessage }[];
    });

type PatternMessage = { readonly kind: TextPattern['kind']; readonly text: string };

interface TrustMessage {
  readonly certificateAuthorities: readonly AuthorityMessage[];
  readonly timestampAuthorities: readonly AuthorityMessage[];
  readonly tlogs: readonly LogMessage[];
  readonly ctlogs: readonly LogMessage[];
}

interface AuthorityMessage {
  /** DER. */
  readonly certChain: readonly Uint8Array[];
  readonly validFor: Authority['validFor'];
}

interface LogMessage {
  readonly logID: Uint8Array;
  readonly baseURL: string;
  readonly publicKey: KeyObject;
  readonly validFor: Log['validFor'];
}

/** Writes a requirement as a message. */
export function toRequirementMessage({ signer, trust, ...others }: Requirement): RequirementMessage {
  return {
    ...others,
    signer: toSignerMessage(signer),
    trust: {
      certificateAuthorities: trust.certificateAuthorities.map(toAuthorityMessage),
      timestampAuthorities: trust.timestampAuthorities.map(toAuthorityMessage),
      tlogs: trust.tlogs.map(toLogMessage),
      ctlogs: trust.ctlogs.map(toLogMessage),
    },
  };
}

/** Writes what names a signer as a message. */
export function toSignerMessage(signer: SignerRequirement): SignerMessage {
  if (signer.kind === 'key') return signer;
  return {
    ...signer,
    identities: signer.identities.map(({ issuer, subject }) => ({
      issuer: toPatternMessage(issuer),
      subject: toPatternMessage(subject),
    })),
    claims: signer.claims.map(({ claim, value }) => ({ claim, value: toPatternMessage(value) })),
  };
}

/** Reads the message again. Throws on one that {@link toRequirementMessage} did not write. */
export function fromRequirementMessage({ signer, trust, ...others }: RequirementMessage): Requirement {
  return {
    ...others,
    signer: fromSignerMessage(signer),
    trust: {
      certificateAuthorities: trust.certificateAuthorities.map(fromAuthorityMessage),
      timestampAuthorities: trust.timestampAuthorities.map(fromAuthorityMessage),
      tlogs: trust.tlogs.map(fromLogMessage),
      ctlogs: trust.ctlogs.map(fromLogMessage),
      publicKey: () => {
        throw new Error('the key is named by the policy, never by a hint');
      },
    },
  };
}

/** Reads what names a signer. */
export function fromSignerMessage(signer: SignerMessage): SignerRequirement {
  if (signer.kind === 'key') return signer;
  const identities: readonly IdentityRule[] = signer.identities.map(({ issuer, subject }) => ({
    issuer: fromPatternMessage(issuer),
    subject: fromPatternMessage(subject),
  }));
  const claims = signer.claims.map(({ claim, value }) => ({ claim, value: fromPatternMessage(value) }));
  return { ...signer, identities, claims };
}

function toPatternMessage(pattern: TextPattern): PatternMessage {
  return { kind: pattern.kind, text: pattern.kind === 'exact' ? pattern.text : pattern.source };
}

/** A policy has a handful of patterns and certificates: they are read once, and forgotten all at once when they are many. */
const MAX_KNOWN = 1_000;
const patterns = new Map<string, TextPattern>();
const certificates = new Map<string, X509Certificate>();

function fromPatternMessage({ kind, text }: PatternMessage): TextPattern {
  if (kind === 'exact') return exactly(text);
  return once(patterns, text, () => {
    const compiled = compilePattern(text);
    if (!compiled.ok) throw new Error(`a pattern that was good is not any more: ${compiled.problem}`);
    return compiled.pattern;
  });
}

function toAuthorityMessage({ certChain, validFor }: Authority): AuthorityMessage {
  return { certChain: certChain.map((certificate) => new Uint8Array(certificate.root.toDER())), validFor };
}

function fromAuthorityMessage({ certChain, validFor }: AuthorityMessage): Authority {
  const read = (der: Uint8Array) =>
    once(certificates, Buffer.from(der).toString('base64'), () => parseCertificate(der));
  return { certChain: certChain.map(read), validFor };
}

function toLogMessage({ logID, baseURL, publicKey, validFor }: Log): LogMessage {
  return { logID: new Uint8Array(logID), baseURL, publicKey, validFor };
}

function fromLogMessage({ logID, ...log }: LogMessage): Log {
  return { logID: Buffer.from(logID), ...log };
}

function once<T>(known: Map<string, T>, name: string, make: () => T): T {
  const found = known.get(name);
  if (found !== undefined) return found;
  const made = make();
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(name, made);
  return made;
}
