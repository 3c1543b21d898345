import assert from 'node:assert/strict';
import { EvidenceError } from '../../../activities/evidence-error.ts';
import { parseAnswer } from '../../../activities/rekor/ask.ts';
import { parseV1Entries, provenInclusion } from '../../../activities/rekor/v1-entry.ts';
import { corpus } from '../corpus.ts';
import { assertInert, partOf, type Target } from '../target.ts';
import { trustRoot } from './evidence.ts';

const WHAT = 'transparency log rekor.test: entries';
const body = Buffer.from(corpus.answer.body, 'base64');
const log = trustRoot.logs.find(({ version }) => version === 'v1');

/** An entry as Rekor 1 answers it, with the proof that the log holds it. */
export const logAnswerTarget: Target = {
  name: 'log-answer',
  seeds: [{ seed: 'entry', parts: { answer: Buffer.from(corpus.answer.answer), body } }],
  run(input) {
    assert.ok(log !== undefined);
    const asked = partOf(input, 'body');
    try {
      const [entry] = parseV1Entries(WHAT, parseAnswer(WHAT, partOf(input, 'answer')));
      if (entry === undefined) return 'refused';
      const inclusion = provenInclusion(log, WHAT, entry, asked);
      assert.ok(asked.equals(body), 'an entry that the log does not hold was accepted');
      assert.ok(inclusion.index < inclusion.treeSize);
      return 'accepted';
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      assert.equal(error.code, 'LOG_MISBEHAVED');
      assertInert(error.message);
      return 'refused';
    }
  },
};
