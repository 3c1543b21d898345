import { isRecord } from '../../workflows/format/record.ts';
import { EvidenceError } from '../evidence-error.ts';
import { MAX_FOUND_ENTRIES, MAX_LOG_ANSWER_BYTES, MAX_LOG_TREES } from '../limits.ts';
import { parseCheckpoint } from '../sigstore/log/checkpoint.ts';
import { checkConsistency, leafHash } from '../sigstore/log/merkle.ts';
import { quote } from '../text/quote.ts';
import type { TransparencyLog } from '../trust/trust-root.ts';
import { type Ask, describeQuestion, parseAnswer, parseAnswerObject } from './ask.ts';
import { misbehaved } from './failure.ts';
import { type LogApi, treeOf, verifiedCheckpoint } from './log-api.ts';
import { proposedEntries } from './proposed-entry.ts';
import { parseHashes, parseV1Entries, provenInclusion, toFoundEntry } from './v1-entry.ts';

const LOG = { path: 'api/v1/log', maxBytes: MAX_LOG_ANSWER_BYTES } as const;
const RETRIEVE = { path: 'api/v1/log/entries/retrieve', maxBytes: MAX_LOG_ANSWER_BYTES } as const;

/** Asks a log by the Rekor v1 API (rekor `openapi.yaml`). Only what the log's key signed is believed of its answers. */
export function createRekorV1(log: TransparencyLog, ask: Ask): LogApi {
  return {
    async readCheckpoint(tree, signal) {
      const what = describeQuestion(log, LOG);
      const answer = parseAnswerObject(what, await bytesOf(ask(LOG, signal)));
      for (const note of treeHeads(answer)) {
        const checkpoint = parseCheckpoint(note);
        if (checkpoint !== undefined && treeOf(log, checkpoint.origin) === tree) {
          return verifiedCheckpoint(log, what, note);
        }
      }
      throw misbehaved(what, `expected a checkpoint of the tree ${quote(tree)}, got none`);
    },

    async compare(tree, smaller, larger, signal) {
      const question = {
        path: 'api/v1/log/proof',
        query: { firstSize: String(smaller.treeSize), lastSize: String(larger.treeSize), treeID: tree },
        maxBytes: MAX_LOG_ANSWER_BYTES,
      };
      const what = describeQuestion(log, question);
      const { hashes } = parseAnswerObject(what, await bytesOf(ask(question, signal)));
      const proof = parseHashes(hashes);
      if (proof === undefined) throw misbehaved(what, 'expected the hashes of a proof, got something else');
      return checkConsistency(smaller, larger, proof);
    },

    async locate(canonicalizedBody, signal) {
      const path = `api/v1/log/entries/${leafHash(canonicalizedBody).toString('hex')}`;
      const question = { path, maxBytes: MAX_LOG_ANSWER_BYTES, alsoAnswers: [404] };
      const what = describeQuestion(log, question);
      const answer = await ask(question, signal);
      // Not proof enough to convict the log: nothing signs a 404.
      if (typeof answer === 'number') throw misbehaved(what, 'the log promised this entry, and does not have it');
      const [entry, ...others] = parseV1Entries(what, parseAnswer(what, answer));
      if (entry === undefined || others.length > 0) throw misbehaved(what, 'expected one entry, got none or several');
      return provenInclusion(log, what, entry, canonicalizedBody);
    },

    async lookUp(question, signal) {
      const what = describeQuestion(log, { ...RETRIEVE, body: {} });
      const entries = proposedEntries(question);
      const answer = await ask({ ...RETRIEVE, body: { entries }, alsoAnswers: [400, 422] }, signal);
      if (typeof answer === 'number') {
        const message = `${what}: the log could not read what it was asked for (${answer}); sign again with a log entry`;
        throw new EvidenceError('LOG_ERROR', message, { retryable: false });
      }
      const found = parseAnswer(what, answer);
      if (!Array.isArray(found) || found.length > MAX_FOUND_ENTRIES) {
        throw misbehaved(what, `expected a list of at most ${MAX_FOUND_ENTRIES} entries, got something else`);
      }
      return found.flatMap((one: unknown) => parseV1Entries(what, one)).map(toFoundEntry);
    },
  };
}

/** Checkpoints of the tree that grows and of those that are full. */
function treeHeads(answer: Readonly<Record<string, unknown>>): readonly string[] {
  const shards: readonly unknown[] = Array.isArray(answer['inactiveShards']) ? answer['inactiveShards'] : [];
  return [answer, ...shards.slice(0, MAX_LOG_TREES)]
    .map((shard) => (isRecord(shard) ? shard['signedTreeHead'] : undefined))
    .filter((note) => typeof note === 'string');
}

/** For questions that have no other answer than bytes. */
async function bytesOf(answer: Promise<Uint8Array | number>): Promise<Uint8Array> {
  const bytes = await answer;
  return typeof bytes === 'number' ? new Uint8Array(0) : bytes;
}
