import type { Extension } from './ca.ts';
import { context, der, oid, sequence, utf8String } from './der.ts';

/** Arc of Fulcio's certificate extensions (Fulcio `docs/oid-info.md`). */
export const FULCIO_ARC = '1.3.6.1.4.1.57264.1';

/** The issuer as bare text (v1) and as UTF8String (v2). */
export const ISSUER_V1 = `${FULCIO_ARC}.1`;
export const ISSUER_V2 = `${FULCIO_ARC}.8`;

const BARE_TEXT = {
  githubWorkflowTrigger: 2,
  githubWorkflowSha: 3,
  githubWorkflowName: 4,
  githubWorkflowRepository: 5,
  githubWorkflowRef: 6,
} as const;

const UTF8 = {
  buildSignerUri: 9,
  buildSignerDigest: 10,
  runnerEnvironment: 11,
  sourceRepositoryUri: 12,
  sourceRepositoryDigest: 13,
  sourceRepositoryRef: 14,
  sourceRepositoryIdentifier: 15,
  sourceRepositoryOwnerUri: 16,
  sourceRepositoryOwnerIdentifier: 17,
  buildConfigUri: 18,
  buildConfigDigest: 19,
  buildTrigger: 20,
  runInvocationUri: 21,
  sourceRepositoryVisibility: 22,
} as const;

/** Texts of Fulcio's extensions by name; what is not named is not in the certificate. */
export type FulcioClaims = Readonly<Partial<Record<keyof typeof BARE_TEXT | keyof typeof UTF8, string>>>;

/** An extension whose value is bare text, as Fulcio's first seven are. */
export function bareText(id: string, text: string): Extension {
  return { id, critical: false, value: Buffer.from(text, 'utf8') };
}

/** An extension whose value is a DER UTF8String. */
export function utf8Text(id: string, text: string): Extension {
  return { id, critical: false, value: utf8String(text) };
}

/** The extensions of these claims. */
export function claimExtensions(claims: FulcioClaims): readonly Extension[] {
  return Object.entries(claims).map(([name, text]) => {
    const bare = Object.entries(BARE_TEXT).find(([known]) => known === name);
    if (bare !== undefined) return bareText(`${FULCIO_ARC}.${bare[1]}`, text);
    const utf8 = Object.entries(UTF8).find(([known]) => known === name);
    if (utf8 === undefined) throw new Error(`expected a claim of Fulcio, found ${name}`);
    return utf8Text(`${FULCIO_ARC}.${utf8[1]}`, text);
  });
}

/** A subject alternative name of any kind; `der` is a whole GeneralName. */
export type SubjectName =
  | { readonly kind: 'email' | 'uri' | 'dns' | 'other'; readonly text: string }
  | { readonly kind: 'der'; readonly value: Uint8Array };

/** The subject alternative names; critical where the subject is empty, as it is in Fulcio's certificates. */
export function subjectAlternativeNames(names: readonly SubjectName[]): Extension {
  return { id: '2.5.29.17', critical: true, value: sequence(...names.map(generalName)) };
}

function generalName(name: SubjectName): Uint8Array {
  switch (name.kind) {
    case 'email':
      return context(1, Buffer.from(name.text), false);
    case 'dns':
      return context(2, Buffer.from(name.text), false);
    case 'uri':
      return context(6, Buffer.from(name.text), false);
    case 'other':
      // Fulcio's user names: OtherName with a UTF8String under its own OID.
      return der(0xa0, oid(`${FULCIO_ARC}.7`), context(0, utf8String(name.text)));
    case 'der':
      return name.value;
  }
}
