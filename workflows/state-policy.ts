import {
  continueAsNew,
  defineQuery,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  setWorkflowOptions,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from './activities.ts';
import { codeSpan } from './checklist.ts';
import { POLICY_HEAD_QUERY } from './handlers.ts';
import { FAST_ATTEMPT_MS, POLICY_HEAD_INTERVAL_MS } from './verdict/deadlines.ts';
import type { Envelope } from './verdict/verdict.ts';

/** The newest signed policy head; `null` before the first one. */
const policyHeadQuery = defineQuery<Envelope | null>(POLICY_HEAD_QUERY);

const { describePolicy } = proxyLocalActivities<Activities>({
  startToCloseTimeout: FAST_ATTEMPT_MS,
  retry: { maximumAttempts: 1 },
});

setWorkflowOptions({ failureExceptionTypes: [] }, statePolicy);

/**
 * Runs for ever: a worker restates every few seconds which policy revision it applies, and nodes read the statement
 * by query. A restatement that fails leaves the last one standing until it expires.
 */
export async function statePolicy(): Promise<never> {
  let head: Envelope | null = null;
  setHandler(policyHeadQuery, () => head);
  while (!workflowInfo().continueAsNewSuggested) {
    try {
      head = await describePolicy.executeWithOptions({ summary: 'policy revision' }, []);
      setCurrentDetails('The policy revision is restated by a worker every few seconds.');
    } catch (error) {
      setCurrentDetails(`The policy revision could not be stated: ${codeSpan(String(error))}`);
    }
    await sleep(POLICY_HEAD_INTERVAL_MS);
  }
  return continueAsNew<typeof statePolicy>();
}
