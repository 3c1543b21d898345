import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Bundle, createVerifier } from 'sigstore';
import { TufRepository } from '../../activities/trust/tuf-repository.ts';
import { temporaryFolder } from '../temporary-folder.ts';

/** What the independent judge is asked: the same as portcullis is. */
export interface IndependentQuestion {
  /** A `trusted_root.json`, as JSON. */
  readonly trustedRoot: string;
  readonly issuer: string;
  /** Missing: any subject of that issuer. */
  readonly subject?: string;
  /** Log entries and certificate timestamps that are wanted. */
  readonly entries: number;
  readonly certificateTimestamps: number;
}

/** The answer about one bundle: `accepted`, or why not. `artifact`: what a bundle without an envelope is over. */
export type IndependentJudge = (bundle: Uint8Array, artifact?: Buffer) => string;

/** Where no TUF mirror is: the metadata is in the cache, so that none is asked. */
const MIRROR = 'http://127.0.0.1:9';

/**
 * The package `sigstore` as a second opinion, without a network: it takes its trusted root from TUF metadata in a cache, which
 * is written here.
 */
export async function independentJudge(question: IndependentQuestion): Promise<IndependentJudge> {
  await using folder = await temporaryFolder();
  const verifier = await createVerifier({
    ...{ tufMirrorURL: MIRROR, tufForceCache: true, retry: 0, timeout: 1000 },
    ...(await writeCache(folder.path, question.trustedRoot)),
    tlogThreshold: question.entries,
    ctLogThreshold: question.certificateTimestamps,
    certificateIssuer: question.issuer,
    ...(question.subject === undefined ? {} : { certificateIdentityURI: exactPattern(question.subject) }),
  });
  return (bundle, artifact) => {
    try {
      const document: Bundle = JSON.parse(Buffer.from(bundle).toString());
      verifier.verify(document, artifact);
      return 'accepted';
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  };
}

async function writeCache(folder: string, trustedRoot: string) {
  const { initialRoot, files } = new TufRepository({
    targets: { 'trusted_root.json': Buffer.from(trustedRoot) },
    consistent: false,
  });
  const cache = join(folder, encodeURIComponent(new URL(MIRROR).host));
  await mkdir(join(cache, 'targets'), { recursive: true });
  for (const [path, bytes] of files) await writeFile(join(cache, path), bytes);
  const tufRootPath = join(folder, 'first-root.json');
  await writeFile(tufRootPath, initialRoot);
  return { tufRootPath, tufCachePath: folder };
}

/** The package takes an identity as a pattern that it searches for. */
function exactPattern(text: string): string {
  return `^${text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, '\\$&')}$`;
}
