import { defineSearchAttributeKey } from '@temporalio/common';

/** What verifications can be searched by in the Temporal UI; a namespace must have these registered as Keyword. */
export const ATTRIBUTES = {
  imageRepository: defineSearchAttributeKey('ImageRepository', 'KEYWORD'),
  imageDigest: defineSearchAttributeKey('ImageDigest', 'KEYWORD'),
  verdict: defineSearchAttributeKey('Verdict', 'KEYWORD'),
  reasonCode: defineSearchAttributeKey('ReasonCode', 'KEYWORD'),
  policyRevision: defineSearchAttributeKey('PolicyRevision', 'KEYWORD'),
  signer: defineSearchAttributeKey('Signer', 'KEYWORD'),
  node: defineSearchAttributeKey('Node', 'KEYWORD'),
  decisionId: defineSearchAttributeKey('DecisionId', 'KEYWORD'),
} as const;
