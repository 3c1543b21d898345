import { proxyLocalActivities, setWorkflowOptions } from '@temporalio/workflow';
import type { Activities } from './activities.ts';
import type { Descriptor } from './format/descriptor.ts';
import { FAST_ATTEMPT_MS, FAST_BUDGET_MS } from './verdict/deadlines.ts';

const { resolveDescriptor } = proxyLocalActivities<Activities>({
  startToCloseTimeout: FAST_ATTEMPT_MS,
  scheduleToCloseTimeout: FAST_BUDGET_MS,
  retry: { initialInterval: 100, backoffCoefficient: 2, maximumAttempts: 2 },
});

setWorkflowOptions({ failureExceptionTypes: [Error] }, resolveName);

/**
 * Tells a person at a terminal what a name points to now. The workers hold the registry credentials, so they look;
 * containerd needs none of this, because it brings a resolved descriptor. Fails with the activity's reason code.
 */
export async function resolveName(input: { readonly name: string }): Promise<Descriptor> {
  return await resolveDescriptor.executeWithOptions({ summary: input.name }, [input]);
}
