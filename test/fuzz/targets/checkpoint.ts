import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { countCosignatures, isSignedBy, parseCheckpoint } from '../../../activities/sigstore/log/checkpoint.ts';
import { corpus } from '../corpus.ts';
import { partOf, type Target } from '../target.ts';
import { trustRoot } from './evidence.ts';

const witnesses = corpus.witnesses.map(({ name, publicKey }) => ({ name, publicKey: createPublicKey(publicKey) }));
const signed = new Set(corpus.checkpoints.map((note) => note.slice(0, note.indexOf('\n\n') + 1)));

/** A log's checkpoint: the note, the log's signature, the witnesses' cosignatures. */
export const checkpointTarget: Target = {
  name: 'checkpoint',
  seeds: corpus.checkpoints.map((note, i) => ({ seed: `checkpoint ${i}`, parts: { note: Buffer.from(note) } })),
  run(input) {
    const note = partOf(input, 'note').toString();
    const checkpoint = parseCheckpoint(note);
    const cosignatures = countCosignatures(note, witnesses);
    assert.ok(cosignatures <= witnesses.length);
    if (checkpoint === undefined) {
      assert.equal(cosignatures, 0);
      return 'refused';
    }
    const { origin, treeSize, rootHash, signedText } = checkpoint;
    assert.ok(
      signedText.startsWith(`${origin}\n${treeSize}\n${rootHash.toString('base64')}\n`),
      'it was read otherwise',
    );
    assert.ok(note.startsWith(`${signedText}\n`), 'what was signed is not what stands there');
    const logs = trustRoot.material.tlogs.filter(({ publicKey }) => isSignedBy(checkpoint, publicKey, undefined));
    if (logs.length + cosignatures > 0)
      assert.ok(signed.has(signedText), 'a checkpoint that nobody signed was accepted');
    return logs.length > 0 ? 'accepted' : 'refused';
  },
};
