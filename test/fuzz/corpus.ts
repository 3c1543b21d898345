import { readFileSync } from 'node:fs';
import type { Wanted } from '../../activities/sigstore/requirement/requirement.ts';

/** Evidence that holds, made once by `make-corpus.ts`: inputs made from it by a seed are the same everywhere. */
export interface Corpus {
  readonly digest: string;
  readonly repository: string;
  readonly signedAt: string;
  /** PEM. */
  readonly publicKey: string;
  /** The JSON of a trusted root. */
  readonly trustedRoot: Readonly<Record<string, unknown>>;
  readonly witnesses: readonly { readonly name: string; readonly publicKey: string }[];
  readonly evidence: readonly CorpusEvidence[];
  /** DER in base64, as are the certificates that it issued. */
  readonly issuer: string;
  readonly certificates: readonly string[];
  /** Of the v1 and of the v2 log of the trusted root. */
  readonly checkpoints: readonly string[];
  readonly tree: {
    readonly origin: string;
    readonly publicKey: string;
    /** The smaller one first. */
    readonly checkpoints: readonly string[];
    /** Base64 by path. */
    readonly tiles: Readonly<Record<string, string>>;
  };
  /** What Rekor 1 says of an entry, and its body in base64. */
  readonly answer: { readonly answer: string; readonly body: string };
  readonly timestamp: { readonly signature: string; readonly token: string };
}

export interface CorpusEvidence {
  readonly name: string;
  readonly signer: 'key' | 'certificate';
  readonly format: 'bundle' | 'simple-signing' | 'envelope';
  readonly stamps: number;
  readonly entries: number;
  readonly cosignatures: number;
  readonly wanted: Wanted;
  /** Base64. */
  readonly parts: Readonly<Record<string, string>>;
}

// Our own file, whose shape is that of `make-corpus.ts`; the tests show that each seed in it holds.
export const corpus = JSON.parse(readFileSync(new URL('corpus.json', import.meta.url), 'utf8')) as Corpus;
