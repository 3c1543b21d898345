/**
 * The names under which nodes reach a workflow's handlers. Apart from the workflows, because a node loads none of their
 * code.
 */
export const VERDICT_UPDATE = 'verdict';
export const CHECKS_QUERY = 'checks';
export const POLICY_HEAD_QUERY = 'policyHead';
