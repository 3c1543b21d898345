import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as settled } from 'node:timers/promises';
import fc from 'fast-check';
import { type Flight, openSingleFlight } from '../../../shim/gate/single-flight.ts';

/** Questions that are answered by hand. */
function byHand() {
  const asked: PromiseWithResolvers<string>[] = [];
  const flight = (patience = 8_000, late = 'late'): Flight<string> => ({
    deadline: Date.now() + patience,
    make() {
      const answer = Promise.withResolvers<string>();
      asked.push(answer);
      return answer.promise;
    },
    late: () => late,
  });
  return { asked, flight };
}

describe('a single flight', () => {
  it('asks once for all who ask at the same time, and anew for who comes later', async () => {
    const { asked, flight } = byHand();
    const flights = openSingleFlight<string>();
    const all = Array.from({ length: 500 }, () => flights.join('a', flight()));
    const other = flights.join('b', flight());
    assert.deepEqual([asked.length, flights.size], [2, 2]);
    asked[0]?.resolve('yes');
    asked[1]?.resolve('no');
    assert.deepEqual(new Set(await Promise.all(all)), new Set(['yes']));
    assert.equal(await other, 'no');
    assert.equal(flights.size, 0);
    const later = flights.join('a', flight());
    assert.equal(asked.length, 3);
    asked[2]?.resolve('changed');
    assert.equal(await later, 'changed');
  });

  it('answers who has less time with its own word, and goes on for who came later', async () => {
    const { asked, flight } = byHand();
    const flights = openSingleFlight<string>();
    const [hurried, patient] = [flights.join('a', flight(20, 'too late for me')), flights.join('a', flight(900))];
    assert.equal(asked.length, 1);
    assert.equal(await hurried, 'too late for me');
    asked[0]?.resolve('yes');
    assert.equal(await patient, 'yes');
  });

  it('is not joined by who has less time than it, so that he hears why there is no answer', async () => {
    const { asked, flight } = byHand();
    const flights = openSingleFlight<string>();
    const [patient, hurried] = [flights.join('a', flight(900)), flights.join('a', flight(200))];
    assert.equal(asked.length, 2);
    asked[1]?.resolve('nobody there');
    assert.equal(await hurried, 'nobody there');
    const another = flights.join('a', flight(900));
    assert.equal(asked.length, 2);
    asked[0]?.resolve('yes');
    assert.deepEqual(await Promise.all([patient, another]), ['yes', 'yes']);
  });

  it('is not joined by who has much more time than it, but begun anew for those who come then', async () => {
    const { asked, flight } = byHand();
    const flights = openSingleFlight<string>();
    const ending = flights.join('a', flight(200));
    const [one, two] = [flights.join('a', flight()), flights.join('a', flight())];
    assert.equal(asked.length, 2);
    asked[0]?.resolve('gave up');
    assert.equal(await ending, 'gave up');
    const three = flights.join('a', flight());
    assert.equal(asked.length, 2, 'the end of the first one does not end the second');
    asked[1]?.resolve('yes');
    assert.deepEqual(await Promise.all([one, two, three]), ['yes', 'yes', 'yes']);
    assert.equal(flights.size, 0);
  });

  it('shares an error with who waits, and with nobody else', async () => {
    const { asked, flight } = byHand();
    const flights = openSingleFlight<string>();
    const both = [flights.join('a', flight()), flights.join('a', flight())];
    asked[0]?.reject(new Error('broken'));
    for (const one of both) await assert.rejects(one, /broken/);
    const thrown = flights.join('a', {
      ...flight(),
      make: () => {
        throw new Error('at once');
      },
    });
    await assert.rejects(thrown, /at once/);
    assert.equal(flights.size, 0);
  });

  it('answers at once whose deadline has passed, and for ever has an end', async () => {
    const { asked, flight } = byHand();
    const flights = openSingleFlight<string>();
    assert.equal(await flights.join('a', flight(-1_000)), 'late');
    const patient = flights.join('b', flight(Number.POSITIVE_INFINITY));
    await settled();
    asked[1]?.resolve('yes');
    assert.equal(await patient, 'yes');
  });

  it('never mixes keys, and has at most one question for each under way when all have the same time', async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('join' as const), key: fc.constantFrom('a', 'b', 'c') }),
      fc.record({ do: fc.constantFrom('answer' as const, 'break' as const), at: fc.nat(3) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
        const flights = openSingleFlight<string>();
        const open = new Map<string, PromiseWithResolvers<string>>();
        const answers: { readonly key: string; readonly answer: Promise<string> }[] = [];
        for (const next of steps) {
          if (next.do === 'join') {
            const { key } = next;
            const make = () => {
              assert.ok(!open.has(key));
              const asking = Promise.withResolvers<string>();
              open.set(key, asking);
              return asking.promise;
            };
            const flight = { deadline: Date.now() + 60_000, make, late: () => 'late' };
            const answer = flights.join(key, flight).catch((error: unknown) => `${key}: ${String(error)}`);
            answers.push({ key, answer });
          } else {
            const [key, asking] = [...open][next.at] ?? [];
            if (key === undefined) continue;
            open.delete(key);
            if (next.do === 'answer') asking?.resolve(`${key}: yes`);
            else asking?.reject('no');
            await settled();
          }
          assert.equal(flights.size, open.size);
        }
        for (const [key, asking] of open) asking.resolve(`${key}: yes`);
        for (const { key, answer } of answers) assert.match(await answer, new RegExp(`^${key}: (yes|no)$`));
        assert.equal(flights.size, 0);
      }),
    );
  });
});
