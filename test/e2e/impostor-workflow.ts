import { condition, defineUpdate, setHandler } from '@temporalio/workflow';

/** What an operator can start under the id of a verification: it answers the node's question with whatever it was given. */
export async function impersonate(answer: unknown): Promise<unknown> {
  let asked = false;
  setHandler(defineUpdate<unknown>('verdict'), () => {
    asked = true;
    return answer;
  });
  await condition(() => asked);
  return answer;
}
