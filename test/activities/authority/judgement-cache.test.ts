import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Judged, JudgementCache } from '../../../activities/authority/judgement-cache.ts';
import type { ThreadJudgement } from '../../../activities/judging/judging-message.ts';
import { refuse } from '../../../activities/sigstore/judgement.ts';

const MINUTE = 60_000;
const proof = {
  valid: true,
  identity: 'key sha256:12',
  entries: [],
  certifiedAt: undefined,
  statement: undefined,
} as const;
const refusal = refuse('WRONG_KEY', 'another key');

/** A judge that counts how often it is asked. */
function counting(judgement: ThreadJudgement, keepMs = MINUTE) {
  const judge = { asked: 0, make: async (): Promise<Judged> => ({ judgement, keepMs }) };
  judge.make = async () => {
    judge.asked++;
    return { judgement, keepMs };
  };
  return judge;
}

/** A cache whose time a test sets. */
function cacheAt(most: number, statements = 1_000) {
  const clock = { now: 0 };
  return { clock, cache: new JudgementCache({ most, statements }, () => clock.now) };
}

/** A proof of an attestation whose statement has so many characters. */
function attesting(length: number): ThreadJudgement {
  return { ...proof, statement: { predicateType: 'p', predicate: {}, json: 'x'.repeat(length) } };
}

describe('the judgement cache', () => {
  it('keeps a proof and a refusal for as long as each is good, and shares one that is being made', async () => {
    for (const judgement of [proof, refusal]) {
      const { cache, clock } = cacheAt(10);
      const judge = counting(judgement);
      const both = await Promise.all([cache.get('a', judge.make), cache.get('a', judge.make)]);
      clock.now = MINUTE - 1;
      assert.deepEqual([...both, await cache.get('a', judge.make)], [judgement, judgement, judgement]);
      assert.equal(judge.asked, 1);
      clock.now = MINUTE;
      await cache.get('a', judge.make);
      assert.equal(judge.asked, 2, 'its time is over');
      await cache.get('b', judge.make);
      assert.equal(judge.asked, 3, 'another question is another judgement');
    }
  });

  it('keeps no failure, and nothing that is good for no time', async () => {
    const { cache } = cacheAt(10);
    const judge = counting(refusal, 0);
    assert.equal(await cache.get('a', judge.make), refusal);
    assert.equal(await cache.get('a', judge.make), refusal);
    assert.equal(judge.asked, 2);
    const failing = () => Promise.reject(new Error('no answer'));
    await assert.rejects(cache.get('a', failing), /no answer/);
    assert.equal(await cache.get('a', counting(proof).make), proof);
  });

  it('is bounded: those that were not asked for longest go', async () => {
    const { cache } = cacheAt(2);
    const judge = counting(proof);
    for (const question of ['a', 'b', 'a', 'c', 'a', 'b']) await cache.get(question, judge.make);
    assert.equal(judge.asked, 4, 'a, b, c, and b again');
    const none = cacheAt(0).cache;
    const again = counting(proof);
    await none.get('a', again.make);
    await none.get('a', again.make);
    assert.equal(again.asked, 2);
  });

  it('bounds the statements that it keeps, all together', async () => {
    const { cache } = cacheAt(100, 1_000);
    const judges = new Map(['a', 'b', 'c'].map((question) => [question, counting(attesting(400))]));
    const ask = async (question: string) => await cache.get(question, judges.get(question)?.make ?? assert.fail());
    for (const question of ['a', 'b', 'c', 'c', 'b', 'a']) await ask(question);
    assert.deepEqual(
      [...judges.values()].map(({ asked }) => asked),
      [2, 1, 1],
    );
    const large = counting(attesting(1_001));
    for (const _ of [1, 2]) await cache.get('d', large.make);
    assert.equal(large.asked, 2, 'one that is too large alone is not kept');
  });

  it('keeps a refusal under another question for its time, and hands out no proof there', async () => {
    const { cache, clock } = cacheAt(2);
    await cache.get('a', counting(proof).make);
    assert.equal(cache.refusal('a'), undefined);
    cache.keepRefusal('blob', refusal, MINUTE);
    assert.equal(cache.refusal('blob'), refusal);
    clock.now = MINUTE;
    assert.equal(cache.refusal('blob'), undefined);
    for (const blob of ['b', 'c', 'd']) cache.keepRefusal(blob, refusal, MINUTE);
    assert.deepEqual(
      ['b', 'c', 'd'].map((blob) => cache.refusal(blob)),
      [undefined, refusal, refusal],
    );
    cache.keepRefusal('d', refusal, 0);
    assert.equal(cache.refusal('d'), undefined, 'for no time');
  });
});
