import { MAX_CHECKPOINT_LENGTH } from '../limits.ts';
import { checkConsistencyNodes } from '../sigstore/log/merkle.ts';
import type { TransparencyLog } from '../trust/trust-root.ts';
import { type Ask, describeQuestion } from './ask.ts';
import { misbehaved } from './failure.ts';
import { type LogApi, verifiedCheckpoint } from './log-api.ts';
import { consistencyRanges } from './tile.ts';
import { type FetchTile, TileReader } from './tile-reader.ts';

const CHECKPOINT = { path: 'api/v2/checkpoint', maxBytes: MAX_CHECKPOINT_LENGTH } as const;

/** Asks a tiled log (Rekor v2, C2SP tlog-tiles): files, from which every proof is computed here. */
export function createRekorV2(log: TransparencyLog, ask: Ask): LogApi {
  const tiles = new TileReader(tileFetcher(log, ask));
  return {
    async readCheckpoint(tree, signal) {
      const what = describeQuestion(log, CHECKPOINT);
      const answer = await ask(CHECKPOINT, signal);
      const note = typeof answer === 'number' ? '' : new TextDecoder().decode(answer);
      const signed = verifiedCheckpoint(log, what, note);
      if (signed.checkpoint.origin !== tree) throw misbehaved(what, 'the checkpoint is of another log than the entry');
      return signed;
    },

    async compare(_tree, smaller, larger, signal) {
      const ranges = consistencyRanges(smaller.treeSize, larger.treeSize);
      for (;;) {
        const { roots, fromCache, keep } = await tiles.read(ranges, larger.treeSize, signal);
        const consistency = checkConsistencyNodes(smaller, larger, roots);
        if (consistency !== 'unproven') {
          keep();
          return consistency;
        }
        // A proof does not touch every hash of its tiles, so that a bad one may have been kept.
        if (!fromCache) return consistency;
        tiles.clear();
      }
    },

    async locate() {
      throw misbehaved(
        `transparency log ${log.baseUrl.host}`,
        'expected an entry with a proof: this log makes no promises',
      );
    },

    // Files can't be searched (rekor-tiles README); whoever words the refusal says so.
    async lookUp() {
      return [];
    },
  };
}

function tileFetcher(log: TransparencyLog, ask: Ask): FetchTile {
  return async (path, maxBytes, signal) => {
    const isPartial = path.includes('.p/');
    const question = { path: `api/v2/${path}`, maxBytes, alsoAnswers: isPartial ? [404] : [] };
    const answer = await ask(question, signal);
    if (typeof answer === 'number') return undefined;
    if (answer.length !== maxBytes) {
      throw misbehaved(describeQuestion(log, question), `expected ${maxBytes} bytes of hashes, got ${answer.length}`);
    }
    return answer;
  };
}
