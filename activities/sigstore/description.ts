import type { SignatureContent } from './evidence/content.ts';
import { readEvidence } from './evidence/evidence.ts';
import { readStatement, SIGNATURE_PREDICATE } from './payload/statement.ts';

/** What evidence says about itself; nothing of it is proven. */
export interface ContentDescription {
  readonly format: SignatureContent['format'];
  /** Of an attestation; `undefined` for a signature, and for what can't be read. */
  readonly predicateType: string | undefined;
}

/** Describes evidence without trusting it, for people and for a sensible order. Never throws. */
export function describeContent(content: SignatureContent): ContentDescription {
  return { format: content.format, predicateType: predicateTypeOf(content) };
}

function predicateTypeOf(content: SignatureContent): string | undefined {
  try {
    const evidence = readEvidence(content);
    if (!evidence.ok || evidence.value.payload.kind !== 'envelope') return undefined;
    const statement = readStatement(evidence.value.payload.bytes);
    if (!statement.ok || statement.value.predicateType === SIGNATURE_PREDICATE) return undefined;
    return statement.value.predicateType;
  } catch {
    return undefined;
  }
}
