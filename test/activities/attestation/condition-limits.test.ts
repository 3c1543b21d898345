import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  type ConditionJudgement,
  compileCondition,
  evaluateCondition,
} from '../../../activities/attestation/condition.ts';
import { prepareConditions } from '../../../activities/attestation/condition-queue.ts';
import { MAX_BUNDLE_BYTES } from '../../../activities/limits.ts';
import { stating } from './statements.ts';

const MANY = Array.from({ length: 20_000 }, (_, i) => i);

describe('a condition that would take too much', () => {
  const HOSTILE: readonly (readonly [name: string, condition: string, predicate: unknown])[] = [
    [
      'compares every element with every other',
      'predicate.all(a, predicate.all(b, predicate.all(c, a + b + c > -1.0)))',
      MANY,
    ],
    [
      'searches long texts for ever',
      'predicate.l.all(a, predicate.l.all(b, !predicate.t.matches("(x+x+)+y")))',
      { l: MANY, t: 'x'.repeat(100_000) },
    ],
    ['builds lists of lists', 'predicate.map(a, predicate.map(b, predicate.map(c, [a, b, c]))).size() == 0', MANY],
    [
      'builds texts of texts',
      'predicate.l.map(a, predicate.l.map(b, predicate.t.replace("x", predicate.t))).size() == 0',
      { l: MANY, t: 'x'.repeat(3_000) },
    ],
  ];
  for (const [name, condition, predicate] of HOSTILE) {
    it(`is stopped, and does not hold: it ${name}`, async () => {
      const judgement = await judge(condition, predicate);
      assert.equal(judgement.holds, false);
      assert.match(judgement.sentence, / (was stopped after 2000 ms|needs more than 512 MiB)$/);
      assert.deepEqual(await judge('predicate.x == 1', { x: 1 }), { holds: true }, 'the next one is evaluated');
    });
  }

  it('takes no memory of this program: an attestation of millions of objects', async () => {
    const judgement = await judge('predicate.l.map(a, [a, a, a, a]).map(a, [a, a, a, a]).size() == 0', {
      l: Array.from({ length: 1_000_000 }, () => ({ a: 1 })),
    });
    assert.equal(judgement.holds, false);
    assert.match(judgement.sentence, /does not hold|was stopped|needs more than/);
  });

  it('is not started when the attestation is larger than any real one', async () => {
    const judgement = await judge('predicate.x == ""', { x: 'x'.repeat(MAX_BUNDLE_BYTES) });
    assert.equal(judgement.holds, false);
    assert.match(judgement.sentence, /was not evaluated: the attestation is larger than any real one$/);
  });

  it('is not started when the attestation nests too deeply to be written down', async () => {
    let deep: unknown = 1;
    for (let i = 0; i < 100_000; i++) deep = [deep];
    const judgement = await judge('predicate.x == 1', deep);
    assert.equal(judgement.holds, false);
    assert.match(judgement.sentence, /was not evaluated/);
  });

  it('does not hold when the attestation nests too deeply to be compared', async () => {
    let deep: unknown = 1;
    for (let i = 0; i < 3_000; i++) deep = { a: deep };
    const judgement = await judge('predicate == predicate && predicate.a.b == 1', deep);
    assert.equal(judgement.holds, false);
  });
});

describe('conditions at the same time', () => {
  it('are all evaluated, each over its own attestation, a slow one beside them', async () => {
    const slow = judge('predicate.all(a, predicate.all(b, predicate.all(c, a + b + c > -1.0)))', MANY);
    const many = await Promise.all(MANY.slice(0, 300).map((x) => judge('predicate.x >= 150', { x })));
    assert.deepEqual(
      many.map(({ holds }) => holds),
      MANY.slice(0, 300).map((x) => x >= 150),
    );
    assert.equal((await slow).holds, false);
  });

  it('end with the signal that stops them, running or waiting, and free their place', async () => {
    const controller = new AbortController();
    const slow = 'predicate.all(a, predicate.all(b, predicate.all(c, a + b + c > -1.0)))';
    const stopped = [1, 2, 3, 4, 5].map(() => judge(slow, MANY, controller.signal));
    const after = judge('predicate.x == 1', { x: 1 });
    const reason = new Error('the attempt was given up');
    setTimeout(() => controller.abort(reason), 100);
    for (const { status, reason: why } of (await Promise.allSettled(stopped)).map(asRejection)) {
      assert.equal(status, 'rejected');
      assert.equal(why, reason);
    }
    assert.deepEqual(await after, { holds: true });
  });

  it('are not begun after the signal', async () => {
    await assert.rejects(judge('predicate.x == 1', { x: 1 }, AbortSignal.abort(new Error('too late'))), /too late/);
  });
});

describe('the processes', () => {
  const condition = fileURLToPath(new URL('../../../activities/attestation/condition.ts', import.meta.url));
  const queue = fileURLToPath(new URL('../../../activities/attestation/condition-queue.ts', import.meta.url));

  it('keep no program alive, and end with it', () => {
    const program = `
      const { compileCondition, evaluateCondition } = await import(${JSON.stringify(condition)});
      const { prepareConditions } = await import(${JSON.stringify(queue)});
      prepareConditions();
      const { condition } = compileCondition('predicate.x == 1');
      const document = { predicate: { x: 1 } };
      const judgement = await evaluateCondition(condition, { predicateType: '', predicate: document.predicate, document });
      console.log(JSON.stringify(judgement));
      const { readdirSync, readFileSync } = await import('node:fs');
      const children = readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8').trim().split(' ');
      console.log(JSON.stringify(children));
    `;
    const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
    });
    const [judgement, children] = stdout.split('\n');
    assert.equal(status, 0);
    assert.equal(judgement, '{"holds":true}');
    const pids: unknown = JSON.parse(children ?? '');
    assert.ok(Array.isArray(pids) && pids.length === 1);
  });

  it('are prepared at most once', async () => {
    prepareConditions();
    prepareConditions();
    assert.deepEqual(await judge('predicate.x == 1', { x: 1 }), { holds: true });
  });

  it('see nothing of this program’s environment', async () => {
    // CEL has no way to look; what is shown is that an evaluation needs none of it.
    process.env['NODE_OPTIONS'] = '--require=/nowhere.js';
    try {
      assert.deepEqual(await judge('predicate.x == 1', { x: 1 }), { holds: true });
    } finally {
      delete process.env['NODE_OPTIONS'];
    }
  });
});

async function judge(source: string, predicate: unknown, signal?: AbortSignal): Promise<ConditionJudgement> {
  const result = compileCondition(source);
  assert.ok(result.ok, result.ok ? '' : result.problem);
  return await evaluateCondition(result.condition, stating(predicate), signal);
}

function asRejection(settled: PromiseSettledResult<unknown>): { readonly status: string; readonly reason: unknown } {
  return { status: settled.status, reason: settled.status === 'rejected' ? settled.reason : undefined };
}
