import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { findMetrics, parseStoreWrites } from './store-writes.ts';

const line = (namespace: string, operation: string, value: string) =>
  `persistence_requests{namespace="${namespace}",operation="${operation}",service_name="history"} ${value}`;

describe('store writes', () => {
  it('are those of one namespace that change a workflow', () => {
    const metrics = [
      '# TYPE persistence_requests counter',
      line('default', 'CreateWorkflowExecution', '2'),
      line('default', 'UpdateWorkflowExecution', '1.5e+06'),
      line('default', 'GetWorkflowExecution', '100'),
      line('temporal_system', 'UpdateWorkflowExecution', '1000'),
      'persistence_latency_count{namespace="default",operation="UpdateWorkflowExecution"} 10',
    ].join('\n');
    const { CreateWorkflowExecution, UpdateWorkflowExecution, ...others } = parseStoreWrites(metrics, 'default');
    assert.deepEqual([CreateWorkflowExecution, UpdateWorkflowExecution], [2, 1_500_000]);
    assert.deepEqual(new Set(Object.values(others)), new Set([0]));
  });

  it('add up over what else the server tells apart', () => {
    const metrics = [line('default', 'AddHistoryTasks', '2'), line('default', 'AddHistoryTasks', '3')].join('\n');
    assert.equal(parseStoreWrites(metrics, 'default').AddHistoryTasks, 5);
  });

  for (const [what, metrics] of Object.entries({
    'no metrics': '',
    'other metrics only': 'service_requests{namespace="default"} 1\n',
    'a sample without an operation': 'persistence_requests{namespace="default"} 1\n',
    'a value that is no number': `${line('default', 'UpdateWorkflowExecution', 'NaN')}\n`,
    'a line that was cut off': 'persistence_requests{namespace="default",operation="Upd',
  })) {
    it(`are an error, never zero, with ${what}`, () => {
      assert.throws(() => parseStoreWrites(metrics, 'default'), /^Error: expected /);
    });
  }
});

describe('the address of the metrics', () => {
  for (const [log, expected] of [
    ['Temporal UI:          http://localhost:1\nTemporal Metrics:     http://localhost:2/metrics\n', 'found'],
    ['Temporal UI:          http://localhost:1\n', 'missing'],
  ] as const) {
    it(`is ${expected}`, async (test) => {
      const directory = await mkdtemp(join(tmpdir(), 'portcullis-bench-test-'));
      test.after(() => rm(directory, { recursive: true }));
      const file = join(directory, 'temporal.log');
      await writeFile(file, log);
      if (expected === 'found') assert.equal(await findMetrics(file), 'http://localhost:2/metrics');
      else await assert.rejects(findMetrics(file), /expected a line "Temporal Metrics: http:\.\.\."/);
    });
  }
});
