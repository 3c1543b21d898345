import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { setImmediate as settled } from 'node:timers/promises';
import fc from 'fast-check';
import { type Admission, openAdmission, type Turn } from '../../../shim/gate/admission.ts';
import type { Reason } from '../../../workflows/verdict/reason.ts';
import { digestOf } from '../../support/verdicts.ts';

const DIGEST = digestOf('ab');

const asking = (repository: string, tag = 'v1') => ({ name: `${repository}:${tag}`, digest: DIGEST });

function isTurn(answer: Turn | Reason): answer is Turn {
  return 'leave' in answer;
}

async function turn(admission: Admission, repository: string): Promise<Turn> {
  const answer = await admission.enter(asking(repository), Date.now() + 8_000);
  assert.ok(isTurn(answer), JSON.stringify(answer));
  return answer;
}

describe('admission', () => {
  it('lets a single image of one job in after one of the five hundred of another', async () => {
    const admission = openAdmission({ running: 1, waiting: 1_000 });
    const first = await turn(admission, 'a.example/big');
    const order: string[] = [];
    const waiting = ['big', ...Array.from({ length: 499 }, () => 'big'), 'small'].map(async (name, at) => {
      const mine = await turn(admission, `a.example/${name}`);
      order.push(`${name} ${at}`);
      mine.leave();
    });
    first.leave();
    await Promise.all(waiting);
    assert.deepEqual(order.slice(0, 3), ['big 0', 'small 500', 'big 1']);
    assert.equal(order.length, 501);
    assert.deepEqual(admission.stats(), { running: 0, waiting: 0 });
  });

  it('takes all tags of a repository for one, and Docker Hub in any spelling', async () => {
    const admission = openAdmission({ running: 1, waiting: 10 });
    const first = await turn(admission, 'x.example/x');
    const order: string[] = [];
    const enter = async (name: string) => {
      const answer = await admission.enter({ name, digest: DIGEST }, Date.now() + 8_000);
      order.push(name);
      if (isTurn(answer)) answer.leave();
    };
    const names = ['docker.io/library/a:1', 'a:2', 'docker.io/library/a:3', 'docker.io/library/b'];
    const waiting = names.map(enter);
    first.leave();
    await Promise.all(waiting);
    assert.deepEqual(order, [names[0], names[3], names[1], names[2]]);
  });

  it('answers SHIM_BUSY before the deadline, with how many wait before, and what to do', async () => {
    const admission = openAdmission({ running: 1, waiting: 10 });
    await turn(admission, 'a.example/a');
    const [one, two] = [1, 2].map(() => admission.enter(asking('a.example/a'), Date.now() + 150));
    const sentence = (ahead: number) =>
      `1 images are verified for this node and ${ahead} wait before this one; pull again`;
    assert.deepEqual(await one, { code: 'SHIM_BUSY', sentence: sentence(0) });
    assert.deepEqual(await two, { code: 'SHIM_BUSY', sentence: sentence(0) });
    assert.deepEqual(admission.stats(), { running: 1, waiting: 0 });
    const late = await admission.enter(asking('a.example/a'), Date.now() - 1);
    assert.deepEqual(late, { code: 'SHIM_BUSY', sentence: sentence(0) });
  });

  it('a full house sends the last of the longest job away, and keeps the single image of another', async () => {
    const admission = openAdmission({ running: 1, waiting: 3 });
    const first = await turn(admission, 'a.example/big');
    const enter = (name: string, tag: string) => admission.enter(asking(`a.example/${name}`, tag), Date.now() + 8_000);
    const [one, two, three] = ['1', '2', '3'].map((tag) => enter('big', tag));
    const small = enter('small', '1');
    assert.partialDeepStrictEqual(await three, { code: 'SHIM_BUSY' });
    assert.partialDeepStrictEqual(await enter('big', '4'), { code: 'SHIM_BUSY' }, 'the longest itself is full');
    first.leave();
    for (const next of [one, small, two]) {
      const answer = await next;
      assert.ok(answer !== undefined && isTurn(answer));
      answer.leave();
    }
  });

  it('whoever goes away waits no more, and its place is the next one’s', async () => {
    const admission = openAdmission({ running: 1, waiting: 2 });
    const first = await turn(admission, 'a.example/a');
    const caller = new AbortController();
    const gone = admission.enter(asking('a.example/a'), Date.now() + 8_000, caller.signal);
    const stays = turn(admission, 'a.example/a');
    caller.abort();
    assert.partialDeepStrictEqual(await gone, { code: 'SHIM_BUSY' });
    assert.deepEqual(admission.stats(), { running: 1, waiting: 1 });
    assert.partialDeepStrictEqual(await admission.enter(asking('a.example/a'), Date.now() + 8_000, caller.signal), {
      code: 'SHIM_BUSY',
    });
    first.leave();
    first.leave();
    const turned = await stays;
    assert.deepEqual(admission.stats(), { running: 1, waiting: 0 });
    turned.leave();
    assert.deepEqual(admission.stats(), { running: 0, waiting: 0 });
  });
});

/** What admission is, said in the slowest way: a list of who waits, and since when a repository was not served. */
class Model {
  readonly running = new Set<number>();
  readonly log: string[] = [];
  #waiting: { readonly id: number; readonly repository: string; readonly end: number }[] = [];
  readonly #since = new Map<string, number>();
  #moment = 0;
  readonly limits: { readonly running: number; readonly waiting: number };

  constructor(limits: { readonly running: number; readonly waiting: number }) {
    this.limits = limits;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  enter(id: number, repository: string, now: number, patience: number): void {
    const end = now + Math.min(patience, 8_700) - 100;
    if (this.running.size < this.limits.running) this.#run(id);
    else if (end <= now || !this.#hasRoom(repository)) this.#busy(id, this.#waiting.length);
    else {
      if (this.#of(repository).length === 0) this.#since.set(repository, ++this.#moment);
      this.#waiting.push({ id, repository, end });
    }
  }

  /** Makes room at the expense of a repository that has more than this one would have. */
  #hasRoom(repository: string): boolean {
    if (this.#waiting.length < this.limits.waiting) return true;
    const counts = this.#order().map((name) => this.#of(name));
    const most = Math.max(...counts.map(({ length }) => length));
    const last = counts.find(({ length }) => length === most)?.at(-1);
    if (last === undefined || most <= this.#of(repository).length + 1) return false;
    this.abandon(last.id);
    return true;
  }

  leave(id: number): void {
    this.running.delete(id);
    const next = this.#next();
    if (next !== undefined) this.#run(next);
  }

  /** Everybody whose time has come until now, the earliest first. */
  tick(now: number): void {
    const late = this.#waiting.filter(({ end }) => end <= now).toSorted((one, other) => one.end - other.end);
    for (const { id } of late) this.abandon(id);
  }

  abandon(id: number): void {
    if (!this.#waiting.some((waiter) => waiter.id === id)) return;
    const copy = new Model(this.limits);
    copy.#waiting = [...this.#waiting];
    for (const [name, since] of this.#since) copy.#since.set(name, since);
    copy.#moment = this.#moment;
    let ahead = 0;
    while (copy.#next() !== id) ahead++;
    this.#busy(id, ahead);
    this.#waiting = this.#waiting.filter((waiter) => waiter.id !== id);
  }

  /** Who waits of the repository that was longest not served; within it, who came first. */
  #next(): number | undefined {
    const [name] = this.#order();
    if (name === undefined) return undefined;
    const [first] = this.#of(name);
    this.#since.set(name, ++this.#moment);
    this.#waiting = this.#waiting.filter((waiter) => waiter !== first);
    return first?.id;
  }

  #order(): readonly string[] {
    const names = new Set(this.#waiting.map(({ repository }) => repository));
    return [...names].toSorted((one, other) => (this.#since.get(one) ?? 0) - (this.#since.get(other) ?? 0));
  }

  #of(name: string) {
    return this.#waiting.filter(({ repository }) => repository === name);
  }

  #run(id: number): void {
    this.running.add(id);
    this.log.push(`${id} has its turn`);
  }

  #busy(id: number, ahead: number): void {
    this.log.push(`${id} after ${this.running.size} and ${ahead}`);
  }
}

type Step =
  | { readonly do: 'enter'; readonly repository: string; readonly patience: number }
  | { readonly do: 'leave' | 'leave twice' | 'abandon'; readonly at: number }
  | { readonly do: 'tick'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('enter' as const),
      repository: fc.constantFrom('a.example/a', 'a.example/b', 'c', 'd'),
      patience: fc.constantFrom(-5, 0, 100, 101, 150, 1_000, 8_000, 8_700, 60_000, Number.POSITIVE_INFINITY),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('leave' as const, 'leave twice' as const), at: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('abandon' as const), at: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('tick' as const), ms: fc.constantFrom(1, 50, 900, 9_000) }) },
);

const limits = fc.record({ running: fc.integer({ min: 1, max: 3 }), waiting: fc.integer({ min: 0, max: 6 }) });

describe('admission, whatever comes and goes', () => {
  it('hands out and takes back the turns that a plain list would', async () => {
    await fc.assert(
      fc.asyncProperty(limits, fc.array(step, { maxLength: 60, size: 'max' }), async (limit, steps) => {
        mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000 });
        try {
          await compare(limit, steps);
        } finally {
          mock.timers.reset();
        }
      }),
      { numRuns: 300 },
    );
  });
});

async function compare(limit: { running: number; waiting: number }, steps: readonly Step[]): Promise<void> {
  const [admission, model] = [openAdmission(limit), new Model(limit)];
  const turns = new Map<number, Turn>();
  const callers: AbortController[] = [];
  const log: string[] = [];

  async function enter(repository: string, patience: number): Promise<void> {
    const caller = new AbortController();
    const id = callers.push(caller) - 1;
    model.enter(id, repository, Date.now(), patience);
    const answer = await admission.enter(asking(repository), Date.now() + patience, caller.signal);
    if (isTurn(answer)) turns.set(id, answer);
    const [ran, ahead] = isTurn(answer) ? [] : (answer.sentence.match(/\d+/g) ?? []);
    log.push(isTurn(answer) ? `${id} has its turn` : `${id} after ${ran} and ${ahead}`);
  }

  function take(next: Step): void {
    switch (next.do) {
      case 'enter':
        void enter(next.repository, next.patience);
        break;
      case 'tick':
        mock.timers.tick(next.ms);
        model.tick(Date.now());
        break;
      case 'abandon':
        callers[next.at]?.abort();
        model.abandon(next.at);
        break;
      case 'leave':
      case 'leave twice':
        leave(next.at, next.do === 'leave twice');
    }
  }

  function leave(at: number, twice: boolean): void {
    const [id, turn] = [...turns][at % Math.max(turns.size, 1)] ?? [];
    if (id === undefined || turn === undefined) return;
    turns.delete(id);
    turn.leave();
    if (twice) turn.leave();
    model.leave(id);
  }

  const same = () => {
    assert.deepEqual(log, model.log);
    assert.deepEqual(admission.stats(), { running: model.running.size, waiting: model.waiting });
    assert.ok(model.running.size <= limit.running && model.waiting <= limit.waiting);
  };
  for (const next of steps) {
    take(next);
    await settled();
    same();
  }
  // Everybody is answered: by a turn, or when its time has come.
  take({ do: 'tick', ms: 9_000 });
  await settled();
  same();
  assert.equal(log.length, callers.length);
  assert.equal(admission.stats().waiting, 0);
  for (const turn of turns.values()) turn.leave();
  assert.deepEqual(admission.stats(), { running: 0, waiting: 0 });
}
