import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import {
  type ConditionJudgement,
  compileCondition,
  evaluateCondition,
} from '../../../activities/attestation/condition.ts';
import { prepareConditions } from '../../../activities/attestation/condition-queue.ts';
import { MAX_BUNDLE_BYTES } from '../../../activities/limits.ts';
import { stating } from './statements.ts';

const MANY = Array.from({ length: 20_000 }, (_, i) => i);

/** Eight million million additions. */
const FOR_EVER = 'predicate.l.all(a, predicate.l.all(b, predicate.l.all(c, a + b + c > -1.0)))';

describe('a condition that would take too much', () => {
  const HOSTILE: readonly (readonly [name: string, condition: string, predicate: unknown])[] = [
    ['compares every element with every other', FOR_EVER, { l: MANY }],
    [
      'searches long texts for ever',
      'predicate.l.all(a, predicate.l.all(b, !predicate.t.matches("(x+x+)+y")))',
      { l: MANY, t: 'x'.repeat(100_000) },
    ],
    [
      'builds lists of lists',
      'predicate.l.map(a, predicate.l.map(b, predicate.l.map(c, [a, b, c]))).size() == 0',
      { l: MANY },
    ],
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
    const judgement = await judge('predicate.x == 1', { deep });
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
    const slow = judge(FOR_EVER, { l: MANY });
    const many = await Promise.all(MANY.slice(0, 300).map((x) => judge('predicate.x >= 150', { x })));
    assert.deepEqual(
      many.map(({ holds }) => holds),
      MANY.slice(0, 300).map((x) => x >= 150),
    );
    assert.equal((await slow).holds, false);
  });

  it('end with the signal that stops them, running or waiting, and free their place', async () => {
    const controller = new AbortController();
    const stopped = [1, 2, 3, 4, 5].map(() => judge(FOR_EVER, { l: MANY }, controller.signal));
    const after = judge('predicate.x == 1', { x: 1 });
    const reason = new Error('the attempt was given up');
    await setTimeout(100);
    controller.abort(reason);
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
  it('keep no program alive, and end with it', async () => {
    const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', program('predicate.x == 1')], {
      encoding: 'utf8',
    });
    const [children, judgement] = stdout.split('\n');
    assert.equal(status, 0);
    assert.equal(judgement, '{"holds":true}');
    await gone(Number(children));
  });

  it('end with a program that is killed while they compute', async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program(FOR_EVER)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [pid] = await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await gone(Number(String(pid)));
  });

  it('are prepared at most once', async () => {
    prepareConditions();
    prepareConditions();
    assert.deepEqual(await judge('predicate.x == 1', { x: 1 }), { holds: true });
  });
});

/** A program that says which process it started, then what it found out. */
function program(source: string): string {
  const attestation = new URL('../../../activities/attestation/', import.meta.url);
  return `
    import { readFileSync } from 'node:fs';
    import { compileCondition, evaluateCondition } from '${new URL('condition.ts', attestation)}';
    import { prepareConditions } from '${new URL('condition-queue.ts', attestation)}';
    prepareConditions();
    console.log(readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8').trim());
    const { condition } = compileCondition('${source}');
    const predicate = { x: 1, l: Array.from({ length: 20_000 }, () => 1) };
    console.log(JSON.stringify(await evaluateCondition(condition, { predicateType: '', predicate, document: { predicate } })));
  `;
}

/** Ends when the process has ended; a process that stays makes the test run out of its time. */
async function gone(pid: number): Promise<void> {
  assert.ok(pid > 0);
  while (existsSync(`/proc/${pid}`)) await setTimeout(50);
}

async function judge(source: string, predicate: unknown, signal?: AbortSignal): Promise<ConditionJudgement> {
  const result = compileCondition(source);
  assert.ok(result.ok, result.ok ? '' : result.problem);
  return await evaluateCondition(result.condition, stating(predicate), signal);
}

function asRejection(settled: PromiseSettledResult<unknown>): { readonly status: string; readonly reason: unknown } {
  return { status: settled.status, reason: settled.status === 'rejected' ? settled.reason : undefined };
}
