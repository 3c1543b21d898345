import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Fetcher, type TargetFile, Updater } from 'tuf-js';
import { DownloadHTTPError } from 'tuf-js/dist/error.js';
import { MAX_ROOT_ROTATIONS, MAX_TRUSTED_ROOT_BYTES, MAX_TUF_FILE_BYTES } from '../../limits.ts';
import { quote } from '../../text/quote.ts';
import { expiryOf, type ProvenTarget, readRootMetadata, type TufMetadata } from './metadata.ts';
import { MirrorError, type TufMirror } from './mirror.ts';

/** A TUF repository and the one target that is wanted of it. */
export interface TufRepository {
  /** The initial root.json. */
  readonly root: Uint8Array;
  readonly mirror: TufMirror;
  /** Where targets live below the mirror. */
  readonly targets: string;
  readonly target: string;
}

/** Why an update failed. */
export interface TufFailure {
  /** `unreachable`: no answer; `expired`: what it has is past its time; `refused`: it does not hold. */
  readonly kind: 'unreachable' | 'expired' | 'refused';
  /** Completes "could not be had: ". One line. */
  readonly problem: string;
  /** Unix time in ms when the expired metadata ended. */
  readonly expired?: number;
}

/** What was learnt, also by an update that failed: newer metadata that is proven is never forgotten. */
export interface TufUpdate {
  readonly metadata: TufMetadata;
  readonly result:
    | { readonly ok: true; readonly proven: ProvenTarget }
    | { readonly ok: false; readonly failure: TufFailure };
}

/** Never asked: the library wants URLs, and these are taken apart again. */
const BASE = 'http://mirror.invalid/';

/**
 * One update as the TUF specification's client workflow (section 5) has it, by tuf-js, against a mirror and from what is
 * known. The library keeps its files in a directory and writes them in place, so it gets one of its own that ends with
 * the update. Never throws for what the mirror does.
 */
export async function updateRepository(
  repository: TufRepository,
  known: TufMetadata,
  options: { readonly directory: string; readonly signal: AbortSignal },
): Promise<TufUpdate> {
  await mkdir(options.directory, { recursive: true, mode: 0o700 });
  const work = await mkdtemp(join(options.directory, '.update-'));
  const fetcher = new MirrorFetcher(repository, known, work, options.signal);
  try {
    await writeKnown(work, repository.root, known);
    const result = await run(repository, work, fetcher);
    const proven = result.ok ? await readProven(work, result.target) : undefined;
    const metadata = await harvest(work, known, fetcher);
    if (result.ok && proven !== undefined) return { metadata, result: { ok: true, proven } };
    if (!result.ok) return { metadata, result: { ok: false, failure: describe(result.error, fetcher, work) } };
    return { metadata, result: { ok: false, failure: { kind: 'refused', problem: 'its metadata is not complete' } } };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

type Run = { readonly ok: true; readonly target: Uint8Array } | { readonly ok: false; readonly error: unknown };

async function run(repository: TufRepository, work: string, fetcher: MirrorFetcher): Promise<Run> {
  try {
    const updater = new Updater({
      metadataDir: work,
      metadataBaseUrl: BASE,
      targetDir: join(work, 'targets'),
      targetBaseUrl: `${BASE}${repository.targets}`,
      fetcher,
      // No delegations: Sigstore's roots are targets of the top role, and what is kept is proven by that role alone.
      config: { maxRootRotations: MAX_ROOT_ROTATIONS, maxDelegations: 0, targetsMaxLength: MAX_TUF_FILE_BYTES },
    });
    await updater.refresh();
    const info: TargetFile | undefined = await updater.getTargetInfo(repository.target);
    if (info === undefined) return { ok: false, error: new Error(`it has no target ${quote(repository.target)}`) };
    if (info.length > MAX_TRUSTED_ROOT_BYTES) {
      return { ok: false, error: new Error(`the target is larger than ${MAX_TRUSTED_ROOT_BYTES} bytes`) };
    }
    return { ok: true, target: await readFile(await updater.downloadTarget(info, join(work, 'target'))) };
  } catch (error) {
    return { ok: false, error };
  }
}

const FILES = ['timestamp', 'snapshot', 'targets'] as const;

async function writeKnown(work: string, initial: Uint8Array, known: TufMetadata): Promise<void> {
  await writeFile(join(work, 'root.json'), known.roots.at(-1) ?? initial);
  for (const name of FILES) {
    const bytes = known[name];
    if (bytes !== undefined) await writeFile(join(work, `${name}.json`), bytes);
  }
}

/** What the library wrote is what it had proven. */
async function readProven(work: string, target: Uint8Array): Promise<ProvenTarget | undefined> {
  const [timestamp, snapshot, targets] = await Promise.all(FILES.map((name) => readIfThere(work, name)));
  if (timestamp === undefined || snapshot === undefined || targets === undefined) return undefined;
  return { timestamp, snapshot, targets, target };
}

async function harvest(work: string, known: TufMetadata, fetcher: MirrorFetcher): Promise<TufMetadata> {
  const version = versionOf(await readIfThere(work, 'root'));
  const roots = [...known.roots, ...fetcher.roots.filter((root) => root.version <= version).map(({ bytes }) => bytes)];
  const [timestamp, snapshot, targets] = await Promise.all(FILES.map((name) => readIfThere(work, name)));
  return {
    roots,
    ...(timestamp === undefined ? {} : { timestamp }),
    ...(snapshot === undefined ? {} : { snapshot }),
    ...(targets === undefined ? {} : { targets }),
  };
}

function versionOf(root: Uint8Array | undefined): number {
  try {
    return root === undefined ? 0 : readRootMetadata(root).signed.version;
  } catch {
    // The initial root is no root, and nothing came after it.
    return 0;
  }
}

async function readIfThere(work: string, name: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(join(work, `${name}.json`));
  } catch {
    // The update did not come so far.
    return undefined;
  }
}

/** The library's words for metadata past its time; it has no other sign that survives its own wrapping. */
const EXPIRED = /(root|timestamp|snapshot|targets)\.json is expired/;

function describe(error: unknown, fetcher: MirrorFetcher, work: string): TufFailure {
  const message = error instanceof Error ? error.message : String(error);
  const expired = EXPIRED.exec(message)?.[1];
  if (expired !== undefined) {
    const bytes = fetcher.received.get(expired);
    const time = bytes === undefined ? undefined : expiryOf(bytes);
    const problem = `its ${expired}.json is past its time`;
    return { kind: 'expired', problem, ...(time === undefined ? {} : { expired: time }) };
  }
  if (fetcher.failure !== undefined) return { kind: 'unreachable', problem: fetcher.failure.message };
  // A message may name the directory of the update.
  return { kind: 'refused', problem: `its metadata was refused: ${quote(message.replaceAll(work, ''))}` };
}

/** Brings the library's files from a mirror, and remembers what it brought. */
class MirrorFetcher implements Fetcher {
  /** Newest bytes by role, believed or not. */
  readonly received: Map<string, Uint8Array>;
  /** Roots as they came; whether they are believed is not known here. */
  readonly roots: { readonly version: number; readonly bytes: Uint8Array }[] = [];
  /** The request that failed, when the last one did. */
  failure: MirrorError | undefined;
  readonly #mirror: TufMirror;
  readonly #work: string;
  readonly #signal: AbortSignal;

  constructor({ mirror, root }: TufRepository, known: TufMetadata, work: string, signal: AbortSignal) {
    this.received = new Map([['root', known.roots.at(-1) ?? root]]);
    this.#mirror = mirror;
    this.#work = work;
    this.#signal = signal;
  }

  async downloadFile<T>(url: string, maxLength: number, handler: (file: string) => Promise<T>): Promise<T> {
    const file = join(this.#work, 'download');
    await writeFile(file, await this.downloadBytes(url, maxLength));
    return handler(file);
  }

  async downloadBytes(url: string, maxLength: number): Promise<Buffer> {
    const path = new URL(url).pathname.slice(1);
    this.failure = undefined;
    try {
      const bytes = await this.#mirror.get(path, Math.min(maxLength, MAX_TUF_FILE_BYTES), this.#signal);
      this.#note(path, bytes);
      return Buffer.from(bytes);
    } catch (error) {
      if (!(error instanceof MirrorError)) throw error;
      this.failure = error;
      // The library takes 403 and 404 of a next root for "there is none".
      throw error.status === undefined ? error : new DownloadHTTPError(error.message, error.status);
    }
  }

  #note(path: string, bytes: Uint8Array): void {
    const [, version, role] = /^(?:(\d+)\.)?(root|timestamp|snapshot|targets)\.json$/.exec(path) ?? [];
    if (role === undefined) return;
    this.received.set(role, bytes);
    if (role === 'root' && version !== undefined) this.roots.push({ version: Number(version), bytes });
  }
}
