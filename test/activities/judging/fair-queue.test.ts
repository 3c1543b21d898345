import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FairQueue } from '../../../activities/judging/fair-queue.ts';

const of = (repository: string, image: string) => ({ repository, image });

/** Takes everything, each piece costing its share so many ms. */
function drain(queue: FairQueue<string>, share: (item: string) => ReturnType<typeof of>, ms: number): string[] {
  const taken: string[] = [];
  for (let item = queue.next(); item !== undefined; item = queue.next()) {
    taken.push(item);
    queue.charge(share(item), ms);
  }
  return taken;
}

describe('a queue of fair shares', () => {
  it('lets another image, and another repository, wait for one piece of a flood', () => {
    const clock = { now: 0 };
    const queue = new FairQueue<string>(() => clock.now);
    const shares: Record<string, ReturnType<typeof of>> = {
      ...Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`flood ${i}`, of('reg/flooded', 'bad')])),
      neighbour: of('reg/flooded', 'good'),
      other: of('reg/other', 'good'),
    };
    const shareOf = (item: string) => shares[item] ?? assert.fail(item);
    for (let i = 0; i < 50; i++) queue.push(shareOf(`flood ${i}`), `flood ${i}`);
    assert.equal(queue.next(), 'flood 0');
    queue.charge(shareOf('flood 0'), 100);
    for (const late of ['neighbour', 'other']) queue.push(shareOf(late), late);
    const taken = drain(queue, shareOf, 100);
    assert.deepEqual(taken.slice(0, 2), ['other', 'neighbour']);
    assert.deepEqual(
      taken.slice(2),
      Array.from({ length: 49 }, (_, i) => `flood ${i + 1}`),
    );
  });

  it('counts what was spent, not how often: cheap pieces are not held up by their number', () => {
    const queue = new FairQueue<string>(() => 0);
    for (let i = 0; i < 3; i++) {
      queue.push(of('cheap', 'a'), `cheap ${i}`);
      queue.push(of('dear', 'a'), `dear ${i}`);
    }
    const taken: string[] = [];
    for (let item = queue.next(); item !== undefined; item = queue.next()) {
      taken.push(item);
      queue.charge(of(item.split(' ')[0] ?? '', 'a'), item.startsWith('dear') ? 100 : 1);
    }
    assert.deepEqual(taken, ['cheap 0', 'dear 0', 'cheap 1', 'cheap 2', 'dear 1', 'dear 2']);
  });

  it('forgets what was spent long ago', () => {
    const clock = { now: 0 };
    const queue = new FairQueue<string>(() => clock.now);
    queue.charge(of('once', 'a'), 1_000);
    queue.charge(of('now', 'a'), 2);
    for (const name of ['once', 'now']) queue.push(of(name, 'a'), name);
    clock.now = 120_000;
    queue.charge(of('now', 'a'), 2);
    assert.equal(queue.next(), 'once');
  });

  it('loses nothing and gives nothing twice, whatever is added, taken and removed', () => {
    const step = fc.record({
      repository: fc.nat(3),
      image: fc.nat(3),
      kind: fc.constantFrom('push', 'next', 'remove'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = new FairQueue<number>(() => 0);
        const waiting = new Map<number, ReturnType<typeof of>>();
        for (const [id, { repository, image, kind }] of steps.entries()) {
          const share = of(`r${repository}`, `i${image}`);
          if (kind === 'push') {
            queue.push(share, id);
            waiting.set(id, share);
          } else if (kind === 'next') {
            const item = queue.next();
            if (item === undefined) assert.equal(waiting.size, 0);
            else assert.ok(waiting.delete(item));
          } else {
            const [first] = [...waiting];
            if (first === undefined) continue;
            queue.remove(first[1], first[0]);
            waiting.delete(first[0]);
          }
        }
        const rest: number[] = [];
        for (let item = queue.next(); item !== undefined; item = queue.next()) rest.push(item);
        assert.deepEqual(rest.toSorted(), [...waiting.keys()].toSorted());
        assert.equal(queue.size, 0);
      }),
    );
  });
});
