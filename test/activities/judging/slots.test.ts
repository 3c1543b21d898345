import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Party, Slots } from '../../../activities/judging/slots.ts';

const of = (host: string, part = ''): Party => ({ host, part });

/** Takes places for parties as long as there are some, and answers how many each got. */
async function fill(slots: Slots, parties: readonly Party[], asked: number): Promise<readonly number[]> {
  const got = parties.map(() => 0);
  for (let round = 0; round < asked; round++) {
    for (const [i, party] of parties.entries()) {
      if ((await slots.enter(party, 0)) !== undefined) got[i] = (got[i] ?? 0) + 1;
    }
  }
  return got;
}

describe('places for work that waits for others', () => {
  it('leave half to others than one host, and two thirds to others than one of its parts', async () => {
    assert.deepEqual(await fill(new Slots(200), [of('silent')], 300), [67]);
    const parts = await fill(
      new Slots(200),
      ['a', 'b', 'c'].map((part) => of('silent', part)),
      300,
    );
    assert.equal(
      parts.reduce((sum, one) => sum + one, 0),
      100,
    );
  });

  it('leave some, however many hosts never answer', async () => {
    const slots = new Slots(200);
    const silent = Array.from({ length: 40 }, (_, i) => of(`silent-${i}`));
    const got = await fill(slots, silent, 40);
    assert.ok(
      got.every((one) => one >= 1),
      got.join(),
    );
    assert.ok((await slots.enter(of('good'), 0)) !== undefined);
  });

  it('are waited for, for a while: who waits gets the next one that is given back', async () => {
    const slots = new Slots(2);
    const leave = await slots.enter(of('a'), 0);
    assert.equal(await slots.enter(of('a'), 5), undefined);
    const waiting = slots.enter(of('a'), 10_000);
    leave?.();
    leave?.();
    const next = await waiting;
    assert.ok(next !== undefined);
    assert.equal(await slots.enter(of('a'), 0), undefined, 'giving back twice makes no place');
    next();
    assert.ok((await slots.enter(of('a'), 0)) !== undefined);
  });

  it('go to whom there is room for, also when another asked before', async () => {
    const slots = new Slots(4);
    const held = [await slots.enter(of('a'), 0), await slots.enter(of('a'), 0), await slots.enter(of('b'), 0)];
    const order: string[] = [];
    const first = slots.enter(of('a'), 200).then((leave) => order.push(leave === undefined ? 'a gave way' : 'a'));
    const second = slots.enter(of('c'), 10_000).then(() => order.push('c'));
    await Promise.all([second, first]);
    assert.deepEqual(order, ['c', 'a gave way']);
    assert.equal(held.filter((leave) => leave !== undefined).length, 3);
  });

  it('are taken several at once: a host holds half of them, and gives all of them back', async () => {
    const slots = new Slots(32);
    const first = await slots.enter(of('a'), 0, undefined, 16);
    assert.ok(first !== undefined);
    assert.equal(await slots.enter(of('a'), 0), undefined, 'it has its half');
    assert.equal(await slots.enter(of('b'), 0, undefined, 17), undefined, 'more than are free');
    const second = await slots.enter(of('b'), 0, undefined, 8);
    assert.ok(second !== undefined);
    const waiting = slots.enter(of('b'), 10_000, undefined, 16);
    first();
    second();
    const third = await waiting;
    assert.ok(third !== undefined);
    third();
    assert.ok((await slots.enter(of('c'), 0, undefined, 32)) !== undefined, 'all of them are free again');
  });
});
