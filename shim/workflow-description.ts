import { type SearchAttributePair, TypedSearchAttributes } from '@temporalio/common';
import { ATTRIBUTES } from '../workflows/search-attributes.ts';
import type { VerificationInput } from '../workflows/verification-input.ts';

/** Summary in the list of the Temporal UI: a line (the server takes 400 bytes, the documentation promises 200). */
const MAX_SUMMARY_LENGTH = 200;

/** What a run shows in the Temporal UI from its first moment on. `node` is the one that asked first. */
export function describeStart(
  input: VerificationInput,
  node: string,
): { staticSummary: string; staticDetails: string; typedSearchAttributes: TypedSearchAttributes } {
  const pairs: SearchAttributePair[] = [
    { key: ATTRIBUTES.imageRepository, value: input.name.replace(/:[^/:]*$/, '') },
    { key: ATTRIBUTES.imageDigest, value: input.digest },
    { key: ATTRIBUTES.policyRevision, value: input.policyRevision },
    { key: ATTRIBUTES.decisionId, value: input.decisionId },
    { key: ATTRIBUTES.node, value: node },
  ];
  return {
    staticSummary: input.name.slice(0, MAX_SUMMARY_LENGTH),
    staticDetails: [
      `- image: \`${input.name}\``,
      `- digest: \`${input.digest}\``,
      `- policy revision: \`${input.policyRevision}\``,
      `- first asked by node: \`${node}\``,
      `- decision: \`${input.decisionId}\` (\`portcullis explain ${input.decisionId}\`)`,
    ].join('\n'),
    typedSearchAttributes: new TypedSearchAttributes(pairs),
  };
}

/** The workflow that states the policy: one for each task queue, started by whichever node comes first. */
export function policyHeadId(taskQueue: string): string {
  return `policy/${taskQueue}`;
}
