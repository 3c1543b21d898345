import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { workflowBundle } from '../support/workflow-worker.ts';

const folder = fileURLToPath(new URL('./histories/', import.meta.url));
Runtime.install({ logger: new DefaultLogger('ERROR') });

describe('a stored history', async () => {
  const bundle = await workflowBundle();
  for (const file of readdirSync(folder)) {
    const history: unknown = JSON.parse(readFileSync(folder + file, 'utf8'));

    it(`${file} replays`, async () => {
      await Worker.runReplayHistory({ workflowBundle: bundle }, history);
    });

    it(`${file} does not replay when one of its steps is another`, async () => {
      const bent: unknown = JSON.parse(JSON.stringify(history).replaceAll('core_local_activity', 'another_marker'));
      await assert.rejects(Worker.runReplayHistory({ workflowBundle: bundle }, bent), {
        name: 'DeterminismViolationError',
      });
    });
  }
});
