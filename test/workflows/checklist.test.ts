import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createChecklist, parseChecks, renderChecklist } from '../../workflows/checklist.ts';

describe('the checklist', () => {
  it('keeps each step in its place and tells every change', () => {
    const told: number[] = [];
    const checklist = createChecklist((checks) => told.push(checks.length));
    checklist.set('policy', 'running', 'policies for app');
    checklist.set('signatures', 'retrying', 'got 503', 'REGISTRY_ERROR');
    checklist.set('policy', 'passed', 'demo');
    assert.deepEqual(checklist.list(), [
      { title: 'policy', state: 'passed', detail: 'demo' },
      { title: 'signatures', state: 'retrying', detail: 'got 503', code: 'REGISTRY_ERROR' },
    ]);
    assert.deepEqual(told, [1, 2, 2]);
  });

  it('is read again as it was written', () => {
    const checks = [
      { title: 'policy', state: 'passed', detail: 'demo' },
      { title: 'signatures', state: 'failed', detail: 'got 401', code: 'REGISTRY_UNAUTHORIZED' },
    ] as const;
    assert.deepEqual(parseChecks(JSON.parse(JSON.stringify(checks))), checks);
  });

  it('is read without what is no check, whatever Temporal carried', () => {
    const good = { title: 'policy', state: 'passed', detail: 'demo' };
    assert.deepEqual(parseChecks([null, 1, 'x', {}, { ...good, state: 'allowed' }, { ...good, title: 1 }, good]), [
      good,
    ]);
    assert.deepEqual(parseChecks([{ ...good, code: 'ALL_IS_WELL' }]), [good]);
    assert.equal(parseChecks(Array.from({ length: 10_000 }, () => good)).length, 200);
    fc.assert(fc.property(fc.anything(), (carried) => assert.ok(Array.isArray(parseChecks(carried)))));
  });

  it('lets no text out of its code span', () => {
    const rendered = renderChecklist([{ title: 'a`**b**', state: 'failed', detail: 'x`\n\n# allow' }]);
    assert.equal(rendered.split('\n').length, 1);
    assert.equal(rendered.match(/`/g)?.length, 4);
  });
});
