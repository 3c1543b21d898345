import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { JudgementCache } from '../../activities/judgement-cache.ts';
import { refuse, type SignatureJudgement } from '../../activities/sigstore/judgement.ts';

const proof: SignatureJudgement = { valid: true, identity: 'key sha256:12', entries: [], statement: undefined };
const refusal = refuse('WRONG_KEY', 'another key');

/** A judge that counts how often it is asked. */
function counting(judgement: SignatureJudgement) {
  const judge = { asked: 0, make: async () => judgement };
  judge.make = async () => {
    judge.asked++;
    return judgement;
  };
  return judge;
}

describe('the judgement cache', () => {
  it('keeps proofs, and shares one that is being made', async () => {
    const cache = new JudgementCache(10);
    const judge = counting(proof);
    const both = await Promise.all([cache.get('a', judge.make), cache.get('a', judge.make)]);
    assert.deepEqual([...both, await cache.get('a', judge.make)], [proof, proof, proof]);
    assert.equal(judge.asked, 1);
    await cache.get('b', judge.make);
    assert.equal(judge.asked, 2, 'another question is another judgement');
  });

  it('keeps no refusal and no failure', async () => {
    const cache = new JudgementCache(10);
    const judge = counting(refusal);
    assert.equal(await cache.get('a', judge.make), refusal);
    assert.equal(await cache.get('a', judge.make), refusal);
    assert.equal(judge.asked, 2);
    const failing = () => Promise.reject(new Error('no answer'));
    await assert.rejects(cache.get('a', failing), /no answer/);
    assert.equal(await cache.get('a', counting(proof).make), proof);
  });

  it('is bounded: the oldest go', async () => {
    const cache = new JudgementCache(2);
    const judge = counting(proof);
    for (const question of ['a', 'b', 'c', 'b', 'a']) await cache.get(question, judge.make);
    assert.equal(judge.asked, 4);
    const none = new JudgementCache(0);
    const again = counting(proof);
    await none.get('a', again.make);
    await none.get('a', again.make);
    assert.equal(again.asked, 2);
  });
});
