import { writeFileSync } from 'node:fs';
import { consistencyRanges, subtreesOf, tileOf, tilePath } from '../../activities/rekor/tile.ts';
import type { SignatureContent } from '../../activities/sigstore/evidence/content.ts';
import { BASES } from '../activities/sigstore/negatives/bases.ts';
import { type Base, contentOf, releaseKey, SIGNED_AT, sigstore } from '../activities/sigstore/negatives/case.ts';
import { DIGEST, REPOSITORY } from '../activities/sigstore/verdict-of.ts';
import { cosignPayload } from '../support/signer.ts';
import { toPem } from '../support/virtual-sigstore/der.ts';
import { logInV1, signBlob } from '../support/virtual-sigstore/evidence.ts';
import { RekorV2 } from '../support/virtual-sigstore/rekor-v2.ts';
import { trustedRootJson } from '../support/virtual-sigstore/trusted-root.ts';

/**
 * Makes `corpus.json`: `node test/fuzz/make-corpus.ts`. With other keys each time, so that everything that is kept in
 * `regressions/` is over signatures that nobody believes any more: only for when a target needs another kind of seed.
 */

/** Kinds of evidence as far as their readers differ. */
const BASE_NAMES = [
  ...(['keyless', 'tiled', 'oldBundle', 'chainBundle', 'twoLogs', 'witnessed', 'keyed', 'keyedTiled'] as const),
  ...(['attestation', 'legacy', 'legacyStamped', 'legacyKeyed', 'attached', 'attachedIntoto1'] as const),
];
const TREE_SIZES = [300n, 700n] as const;

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function evidenceOf(name: (typeof BASE_NAMES)[number]) {
  const base: Base = BASES[name];
  const { signer, format, stamps, logs, wanted = { kind: 'signature' } } = base;
  const cosignatures = name === 'witnessed' ? 2 : 0;
  return { name, signer, format, stamps, entries: logs.length, cosignatures, wanted, parts: partsOf(contentOf(base)) };
}

function partsOf(content: SignatureContent): Readonly<Record<string, string>> {
  if (content.format === 'bundle') return { bundle: base64(content.bundle) };
  const annotations = Object.entries(content.annotations).map(([name, text]) => [name, base64(Buffer.from(text))]);
  const blob = content.format === 'envelope' ? { envelope: content.envelope } : { payload: content.payload };
  return Object.fromEntries([...Object.entries(blob).map(([name, bytes]) => [name, base64(bytes)]), ...annotations]);
}

/** A tiled log, and what its consistency between two sizes is computed from. */
function treeOf() {
  const log = new RekorV2({ origin: 'tiles.test' });
  log.fill(Number(TREE_SIZES[1]));
  const tiles = consistencyRanges(...TREE_SIZES)
    .flatMap(subtreesOf)
    .map((subtree) => tilePath(tileOf(subtree, TREE_SIZES[1])));
  return {
    origin: log.origin,
    publicKey: toPem(log.key.spki, 'PUBLIC KEY'),
    checkpoints: TREE_SIZES.map((size) => log.checkpoint(SIGNED_AT, Number(size))),
    tiles: Object.fromEntries([...new Set(tiles)].map((path) => [path, base64(tileBytes(log, path))])),
  };
}

function tileBytes(log: RekorV2, path: string): Buffer {
  const bytes = log.tile(path.replace(/^tile\//, ''));
  if (bytes === undefined) throw new Error(`expected a tile at ${path}`);
  return bytes;
}

/** An entry as Rekor 1 answers it, and the body that it is asked about. */
function answerOf() {
  const signed = signBlob(
    { kind: 'key', key: releaseKey },
    Buffer.from(JSON.stringify(cosignPayload(DIGEST, REPOSITORY))),
  );
  const entry = logInV1(sigstore.rekorV1, 'hashedrekord 0.0.1', signed, SIGNED_AT);
  const { inclusionProof: proof, inclusionPromise: promise } = entry;
  const hex = (text: string): string => Buffer.from(text, 'base64').toString('hex');
  const answer = {
    [`${'0'.repeat(16)}${'1'.repeat(64)}`]: {
      body: entry.canonicalizedBody,
      integratedTime: Number(entry.integratedTime),
      logID: hex(entry.logId.keyId),
      logIndex: Number(entry.logIndex),
      verification: {
        signedEntryTimestamp: promise?.signedEntryTimestamp,
        inclusionProof: {
          logIndex: Number(proof?.logIndex),
          treeSize: Number(proof?.treeSize),
          rootHash: hex(proof?.rootHash ?? ''),
          hashes: proof?.hashes.map(hex),
          checkpoint: proof?.checkpoint.envelope,
        },
      },
    },
  };
  return { answer: JSON.stringify(answer), body: entry.canonicalizedBody };
}

const stamped = Buffer.from('a signature');
const corpus = {
  digest: DIGEST,
  repository: REPOSITORY,
  signedAt: SIGNED_AT.toISOString(),
  publicKey: releaseKey.publicPem,
  trustedRoot: trustedRootJson(sigstore.trustPlan()),
  witnesses: sigstore.witnesses.map(({ name, key }) => ({ name, publicKey: toPem(key.spki, 'PUBLIC KEY') })),
  evidence: BASE_NAMES.map(evidenceOf),
  issuer: base64(sigstore.intermediate.der),
  certificates: [
    base64(sigstore.issueLeaf().der),
    base64(sigstore.issueLeaf({ names: [{ kind: 'email', text: 'someone@example.test' }], claims: {} }).der),
    base64(sigstore.issueLeaf({ names: [{ kind: 'other', text: 'someone!example.test' }] }).der),
  ],
  checkpoints: [sigstore.rekorV1.checkpoint(), sigstore.rekorV2.checkpoint(SIGNED_AT)],
  tree: treeOf(),
  answer: answerOf(),
  timestamp: { signature: base64(stamped), token: base64(sigstore.tsa.stamp(stamped, SIGNED_AT)) },
};
writeFileSync(new URL('corpus.json', import.meta.url), `${JSON.stringify(corpus, undefined, 1)}\n`);
