import type { Bend } from './case.ts';
import { flip64, sigstore, stranger } from './case.ts';
import { checkpoint, never, plus, proof, signatureBit } from './log-bends.ts';

const { rekorV1 } = sigstore;

/** What is wrong with any inclusion proof and checkpoint, whoever serves the log. */
export const PROOF_BENDS: readonly (readonly [string, Bend])[] = [
  [
    'the index in the proof, one more',
    proof((it) => {
      it.logIndex = plus(it.logIndex, 1);
    }),
  ],
  [
    'the index in the proof, one less',
    proof((it) => {
      it.logIndex = plus(it.logIndex, -1);
    }),
  ],
  [
    'the index in the proof behind the tree',
    proof((it) => {
      it.logIndex = it.treeSize;
    }),
  ],
  [
    'a negative index in the proof',
    proof((it) => {
      it.logIndex = '-1';
    }),
  ],
  [
    'the size in the proof, one more',
    proof((it) => {
      it.treeSize = plus(it.treeSize, 1);
    }),
  ],
  [
    'the size in the proof, one less',
    proof((it) => {
      it.treeSize = plus(it.treeSize, -1);
    }),
  ],
  [
    'a bit of the root in the proof',
    proof((it) => {
      it.rootHash = flip64(it.rootHash);
    }),
  ],
  [
    'a bit of the first hash',
    proof((it) => {
      it.hashes[0] = flip64(it.hashes[0] ?? '');
    }),
  ],
  [
    'a bit of the last hash',
    proof((it) => {
      it.hashes.push(flip64(it.hashes.pop() ?? ''));
    }),
  ],
  [
    'a hash less',
    proof((it) => {
      it.hashes.pop();
    }),
  ],
  [
    'a hash more',
    proof((it) => {
      it.hashes.push(it.rootHash);
    }),
  ],
  [
    'no hashes',
    proof((it) => {
      it.hashes = [];
    }),
  ],
  [
    'the hashes in the other order',
    proof((it) => {
      it.hashes.reverse();
    }),
  ],
  [
    'a hash of another length',
    proof((it) => {
      it.hashes[0] = 'AAAA';
    }),
  ],
  [
    "a bit of the checkpoint's last signature",
    checkpoint((text) => signatureBit(text.split('\n').slice(0, 5).join('\n').concat('\n'))),
  ],
  ['the origin of the checkpoint', checkpoint((text) => `x${text}`)],
  [
    'the size in the checkpoint',
    checkpoint((text, it) => text.replace(`\n${it.treeSize}\n`, `\n${plus(it.treeSize, 1)}\n`)),
  ],
  [
    'the size in proof and checkpoint',
    proof((it) => {
      it.checkpoint.envelope = it.checkpoint.envelope.replace(`\n${it.treeSize}\n`, `\n${plus(it.treeSize, 1)}\n`);
      it.treeSize = plus(it.treeSize, 1);
    }),
  ],
  ['the root in the checkpoint', checkpoint((text, it) => text.replace(it.rootHash, flip64(it.rootHash)))],
  ['a line more in the checkpoint', checkpoint((text) => text.replace('\n\n', '\nextension\n\n'))],
  ['a checkpoint without signatures', checkpoint((text) => `${text.split('\n\n')[0]}\n\n`)],
  ['a checkpoint without its empty line', checkpoint((text) => text.replace('\n\n', '\n'))],
  ['the signature under another name', checkpoint((text) => text.replace(/— \S+/, '— evil.test'))],
  [
    "the signature under another key's id",
    checkpoint((text) =>
      text.replace(/(— \S+ )(\S+)/, (_, name: string, signature: string) => `${name}${flip64(signature, 0)}`),
    ),
  ],
  ['a checkpoint that is junk', checkpoint(() => 'junk')],
  ["a checkpoint of the stranger's log", checkpoint(() => stranger.rekorV1.checkpoint())],
  [
    'the proof of another entry',
    {
      entries: (usual) =>
        usual.map((one) => ({
          ...one,
          inclusionProof: rekorV1.entry(rekorV1.records[0] ?? never(), rekorV1.tree.size).inclusionProof ?? never(),
        })),
    },
  ],
];
