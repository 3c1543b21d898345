import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { plainJson, plainText } from '../../workflows/format/plain-text.ts';
import { NO_REVOCATIONS, revokedDigests } from '../../workflows/revocations.ts';
import type { PolicyHead } from '../../workflows/verdict/policy-head.ts';
import { isReasonCode, REASON_OUTCOME } from '../../workflows/verdict/reason.ts';
import { connectBackend } from '../backend/temporal.ts';
import { replaceFile } from '../host/atomic-file.ts';
import { readBounded } from '../host/bounded-file.ts';
import { type Export, exportImages } from '../offline/export-images.ts';
import { MAX_OFFLINE_BYTES, MAX_OFFLINE_VERDICTS, renderOfflineFile } from '../offline/offline-file.ts';
import { loadVerdictKeys } from '../verdict-keys/key-files.ts';
import { DEFAULT_TASK_QUEUE, FLEET_USAGE, fleetOf, wrongUsage } from './options.ts';

const HELP = `Writes a file of signed verdicts, for nodes that never reach the backend.

Usage: portcullis export [IMAGE...] --verdict-keys PATH [OPTIONS]

  IMAGE                as nodes pull it, with its tag: NAME:TAG, which a worker looks up, or NAME:TAG@sha256:...
  --verdict-keys PATH  public key of the workers' verdicts, or a directory of *.pub files (required)
  --file LIST          more images, one a line; what follows a # says nothing
  --out FILE           (default offline-verdicts.json)
  --partial            write the images that pass although others don't
  --task-queue NAME    the workers' task queue (default ${DEFAULT_TASK_QUEUE})
  --fleet NAME         the fleet of the nodes (default: the task queue)
  --output text|json   (default text)

Runs on any machine that reaches Temporal (TEMPORAL_ADDRESS and the other variables of the Temporal CLI). Each image is verified as for
a pull. It passes when it is allowed and an OfflineUse document of the policy says how long that counts without a backend. The file
holds the policy statement, too: without any IMAGE it carries that alone, and with it what is revoked. "portcullis import" takes it.

Exit code 0: written, with every image. 1: an image is refused or has no offline use. 3: it could not be found out.`;

/** A list of so many names is less. */
const MAX_LIST_BYTES = 8 * 1024 * 1024;

/** Between two words on how far it is, in ms. */
const PROGRESS_MS = 2_000;

export const exportCommand = {
  help: HELP,
  async run(args: readonly string[]): Promise<number> {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        'verdict-keys': { type: 'string' },
        file: { type: 'string' },
        out: { type: 'string', default: 'offline-verdicts.json' },
        partial: { type: 'boolean', default: false },
        'task-queue': { type: 'string', default: DEFAULT_TASK_QUEUE },
        fleet: { type: 'string' },
        output: { type: 'string', default: 'text' },
      },
    });
    const path = values['verdict-keys'];
    if (path === undefined) return wrongUsage('export', '--verdict-keys is needed');
    if (!['text', 'json'].includes(values.output)) return wrongUsage('export', '--output: expected text or json');
    const fleet = fleetOf(values.fleet, values['task-queue']);
    if (fleet === undefined) return wrongUsage('export', FLEET_USAGE);
    const listed = values.file === undefined ? [] : await readList(values.file);
    const images = [...new Set([...positionals, ...listed])];
    if (images.length > MAX_OFFLINE_VERDICTS) {
      return wrongUsage('export', `expected at most ${MAX_OFFLINE_VERDICTS} images, found ${images.length}`);
    }
    const found = await ask(path, values['task-queue'], fleet, images);
    const isWritten = found.refused.length === 0 || (values.partial && found.exported.length > 0);
    if (isWritten) write(values.out, found);
    if (values.output === 'json') console.log(plainJson(toJson(found, isWritten ? values.out : null), 2));
    else print(found, isWritten ? values.out : undefined);
    return exitCodeOf(found);
  },
};

/** The names of a list of images, one a line. What is no name is told with the answers. */
async function readList(path: string): Promise<readonly string[]> {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(await readBounded(path, MAX_LIST_BYTES));
  return text
    .split('\n')
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter((line) => line !== '');
}

async function ask(keyPath: string, taskQueue: string, fleet: string, images: readonly string[]): Promise<Export> {
  const keys = await loadVerdictKeys(keyPath);
  const backend = connectBackend(taskQueue);
  let told = Date.now();
  try {
    return await exportImages({ backend, keys: () => keys, fleet, node: hostname() }, images, (done) => {
      if (Date.now() - told < PROGRESS_MS) return;
      told = Date.now();
      console.error(`portcullis export: ${done} of ${images.length} images`);
    });
  } finally {
    await backend.close();
  }
}

function write(path: string, { policy, exported }: Export): void {
  const content = renderOfflineFile({ policy, verdicts: exported.map(({ envelope }) => envelope) });
  const bytes = Buffer.byteLength(content);
  if (bytes > MAX_OFFLINE_BYTES) {
    throw new Error(
      `expected at most ${MAX_OFFLINE_BYTES} bytes of verdicts, found ${bytes}; export fewer images at once`,
    );
  }
  replaceFile(path, content, 0o644);
}

function toJson({ head, exported, refused }: Export, file: string | null): object {
  const { policyRevision, statedAt } = head;
  const verdicts = exported.map(({ verdict: { name, digest, offlineUntil } }) => ({ name, digest, offlineUntil }));
  return { file, policyRevision, statedAt, revoked: countRevoked(head), exported: verdicts, refused };
}

function countRevoked({ revocations = NO_REVOCATIONS }: PolicyHead): number {
  return revokedDigests(revocations).size;
}

function print({ head, exported, refused }: Export, file: string | undefined): void {
  for (const { verdict } of exported) {
    console.log(`until ${verdict.offlineUntil}  ${plainText(verdict.name)}@${verdict.digest}`);
  }
  for (const { image, line } of refused) console.error(`portcullis export: ${plainText(image)}: ${plainText(line)}`);
  const policy = `policy ${head.policyRevision.slice(0, 12)} as stated at ${head.statedAt}`;
  const revoked = countRevoked(head);
  if (file !== undefined) {
    console.log(`wrote ${plainText(file)}: ${exported.length} images, ${revoked} revoked digests, ${policy}`);
  } else {
    const advice = exported.length === 0 ? '' : '; --partial writes the others';
    console.error(
      `portcullis export: nothing was written: ${refused.length} of ${refused.length + exported.length} do not pass${advice}`,
    );
  }
}

/** What is missing from the policy, or denied, is an answer; what is inconclusive is the lack of one. */
function exitCodeOf({ refused }: Export): number {
  if (refused.length === 0) return 0;
  return refused.every(({ code }) => isReasonCode(code) && REASON_OUTCOME[code] === 'inconclusive') ? 3 : 1;
}
