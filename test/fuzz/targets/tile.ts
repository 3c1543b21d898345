import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { EvidenceError } from '../../../activities/evidence-error.ts';
import type { Ask } from '../../../activities/rekor/ask.ts';
import { createRekorV2 } from '../../../activities/rekor/rekor-v2.ts';
import { type Checkpoint, parseCheckpoint } from '../../../activities/sigstore/log/checkpoint.ts';
import type { TransparencyLog } from '../../../activities/trust/trust-root.ts';
import { corpus } from '../corpus.ts';
import type { Input } from '../input.ts';
import { assertInert, type Outcome, type Target } from '../target.ts';

const { tree } = corpus;

const log: TransparencyLog = {
  id: '00'.repeat(32),
  baseUrl: new URL('https://tiles.test'),
  publicKey: createPublicKey(tree.publicKey),
  version: 'v2',
  origin: tree.origin,
  validFrom: 0,
  validUntil: undefined,
};

const [smaller, larger] = tree.checkpoints.map((note): Checkpoint => {
  const checkpoint = parseCheckpoint(note);
  assert.ok(checkpoint !== undefined);
  return checkpoint;
});
assert.ok(smaller !== undefined && larger !== undefined);

/** Everything that a tiled log answers: its checkpoint, and the hashes that show one tree to be the beginning of another. */
export const tileTarget: Target = {
  name: 'tile',
  seeds: [
    {
      seed: 'tiles',
      parts: {
        checkpoint: Buffer.from(tree.checkpoints[1] ?? ''),
        ...Object.fromEntries(
          Object.entries(tree.tiles).map(([path, base64]) => [path, Buffer.from(base64, 'base64')]),
        ),
      },
    },
  ],
  async run(input): Promise<Outcome> {
    const api = createRekorV2(log, answering(input));
    const { signal } = new AbortController();
    try {
      const { checkpoint } = await api.readCheckpoint(tree.origin, signal);
      assert.equal(checkpoint.signedText, larger.signedText, 'a checkpoint that the log did not sign was accepted');
      const consistency = await api.compare(tree.origin, smaller, larger, signal);
      // An alarm about a split view may come only from what the log signed, never from hashes that anybody can send.
      assert.notEqual(consistency, 'inconsistent');
      return consistency === 'consistent' ? 'accepted' : 'refused';
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      assert.equal(error.code, 'LOG_MISBEHAVED');
      assertInert(error.message);
      return 'refused';
    }
  },
};

/** Answers with the parts of the input, as bounded as the network's answers are. */
function answering({ parts }: Input): Ask {
  return async ({ path, maxBytes }) => {
    const bytes = parts[path.endsWith('checkpoint') ? 'checkpoint' : path.slice(path.indexOf('tile/'))];
    return bytes === undefined ? 404 : bytes.subarray(0, maxBytes);
  };
}
