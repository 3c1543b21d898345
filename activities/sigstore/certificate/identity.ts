import { ASN1Obj, type X509Certificate } from '@sigstore/core';
import { inert, quote } from '../../text/quote.ts';
import { failed, type Refusal, refuse, type Step } from '../judgement.ts';
import { CLAIM_OIDS } from '../requirement/claim.ts';
import type { ClaimRule, IdentityRule } from '../requirement/requirement.ts';
import { describePattern, matches } from '../requirement/text-pattern.ts';
import { decodeText, extensionText, extensionValue } from './extension.ts';

/** Whom a certificate was issued to. */
export interface Identity {
  /** E-mail, URI, DNS name, or Fulcio's user name. */
  readonly subject: string;
  /** The OIDC issuer; empty where the certificate names none, as private certificate authorities do. */
  readonly issuer: string;
}

const ISSUER_V2 = '1.3.6.1.4.1.57264.1.8';
const ISSUER_V1 = '1.3.6.1.4.1.57264.1.1';
const SUBJECT_ALTERNATIVE_NAME = '2.5.29.17';

/** Fulcio's form of `name!domain` (Fulcio `docs/oid-info.md`). */
const USER_NAME = '1.3.6.1.4.1.57264.1.7';

/** A workflow's URI has some 200 characters. */
const MAX_NAME_BYTES = 2048;

/** `GeneralName` (RFC 5280 section 4.2.1.6) by its context tag. */
const OTHER_NAME = 0;
const PLAIN_NAMES: ReadonlySet<number> = new Set([/* rfc822Name */ 1, /* dNSName */ 2, /* URI */ 6]);

/**
 * Reads the one identity of a certificate. Two names would let a policy about the one pass for the other, so they are
 * CERTIFICATE_UNSUITABLE, as is none.
 */
export function readIdentity(certificate: X509Certificate): Step<Identity> {
  try {
    const names = namesIn(extensionValue(certificate, SUBJECT_ALTERNATIVE_NAME));
    const [subject, ...others] = names;
    if (subject === undefined || others.length > 0) {
      return unsuitable(`expected one subject alternative name (e-mail, URI, DNS or user name), found ${names.length}`);
    }
    const issuer = extensionText(certificate, ISSUER_V2) ?? extensionText(certificate, ISSUER_V1) ?? '';
    if (issuer.length > MAX_NAME_BYTES) return unsuitable('its issuer is longer than any');
    return { ok: true, value: { subject, issuer } };
  } catch {
    return unsuitable('its subject alternative name or issuer is not text in DER');
  }
}

function namesIn(value: Buffer<ArrayBuffer> | undefined): readonly string[] {
  if (value === undefined) return [];
  return ASN1Obj.parseBuffer(value).subs.map((name) => {
    if (!name.tag.isContextSpecific()) throw new TypeError('expected a GeneralName');
    if (name.tag.number === OTHER_NAME) return userNameIn(name);
    if (!PLAIN_NAMES.has(name.tag.number) || name.tag.constructed) throw new TypeError('expected a name that is text');
    return textOf(name);
  });
}

/** `otherName`: an OID and, in a context tag of its own, a UTF8String. */
function userNameIn(name: ASN1Obj): string {
  const [oid, wrapper] = name.subs;
  const text = wrapper?.subs[0];
  if (oid?.toOID() !== USER_NAME || text === undefined || text.tag.toDER() !== 0x0c) {
    throw new TypeError('expected a user name');
  }
  return textOf(text);
}

function textOf(name: ASN1Obj): string {
  if (name.value.length === 0 || name.value.length > MAX_NAME_BYTES) throw new TypeError('expected a name');
  return decodeText(name.value);
}

/** `<subject> (<issuer>)`, for people. */
export function describeIdentity({ subject, issuer }: Identity): string {
  return inert(issuer === '' ? subject : `${subject} (${issuer})`);
}

/** Checks that one rule matches both halves of the identity. */
export function checkIdentity(identity: Identity, rules: readonly IdentityRule[]): Refusal | undefined {
  const { subject, issuer } = identity;
  if (rules.some((rule) => matches(rule.issuer, issuer) && matches(rule.subject, subject))) return undefined;
  const sentence = `signed by ${quote(subject)} of the issuer ${quote(issuer)}, expected ${describeRules(rules)}`;
  return refuse('WRONG_IDENTITY', sentence);
}

function describeRules([first, ...others]: readonly IdentityRule[]): string {
  if (first === undefined) return 'an identity, and the policy names none';
  const more = others.length > 0 ? `, or one of ${others.length} other identities` : '';
  return `${quote(describePattern(first.subject))} of ${quote(describePattern(first.issuer))}${more}`;
}

/** Checks that every claim of the policy is in the certificate. */
export function checkClaims(certificate: X509Certificate, rules: readonly ClaimRule[]): Refusal | undefined {
  for (const { claim, value } of rules) {
    const found = claimIn(certificate, CLAIM_OIDS[claim]);
    if (found !== undefined && matches(value, found)) continue;
    const named = found === undefined ? 'none' : quote(found);
    return refuse('WRONG_CLAIM', `the claim ${claim}: expected ${quote(describePattern(value))}, found ${named}`);
  }
  return undefined;
}

function claimIn(certificate: X509Certificate, oid: string): string | undefined {
  try {
    return extensionText(certificate, oid);
  } catch {
    return undefined; // a claim that is not text is no claim
  }
}

function unsuitable<T>(problem: string): Step<T> {
  return failed(refuse('CERTIFICATE_UNSUITABLE', `the certificate is not usable: ${problem}`));
}
