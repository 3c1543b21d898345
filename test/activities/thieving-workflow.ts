import { proxyActivities } from '@temporalio/workflow';
import type { Activities, VerdictRequest } from '../../workflows/activities.ts';

/** What anybody with access to the namespace can run beside our workflows: it has the workers sign what it likes. */
export async function stealVerdict(taskQueue: string, request: VerdictRequest): Promise<unknown> {
  const { signVerdict } = proxyActivities<Activities>({
    taskQueue,
    startToCloseTimeout: '10s',
    retry: { maximumAttempts: 1 },
  });
  return await signVerdict(request);
}
