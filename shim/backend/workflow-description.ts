import { type SearchAttributePair, TypedSearchAttributes } from '@temporalio/common';
import { plainTextWithin } from '../../workflows/format/plain-text.ts';
import { ATTRIBUTES } from '../../workflows/search-attributes.ts';
import type { VerificationInput } from '../../workflows/verdict/verification-input.ts';

/** Summary in the list of the Temporal UI: a line (the server takes 400 bytes, the documentation promises 200). */
const MAX_SUMMARY_LENGTH = 200;

/** As much of the name of a node as is shown: a host name has at most 253 characters (RFC 1035). */
const MAX_NODE_LENGTH = 253;

/** What a run shows in the Temporal UI from its first moment on. `asker` is the node that asked first. */
export function describeStart(
  input: VerificationInput,
  asker: string,
): { staticSummary: string; staticDetails: string; typedSearchAttributes: TypedSearchAttributes } {
  const node = plainTextWithin(asker, MAX_NODE_LENGTH);
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
