import { MAX_OFFLINE_MS, WORKER_SILENCE_MS } from '../../../workflows/verdict/deadlines.ts';
import { MAX_GLOBS } from '../../limits.ts';
import { readDuration } from '../../yaml/duration.ts';
import { type Field, readList, required } from '../../yaml/field.ts';
import { OFFLINE_USE_TABLES } from '../../yaml/field-tables.ts';
import { readImage } from '../cluster-image-policy/cluster-image-policy.ts';
import { type DocumentName, readNamedSpec } from '../metadata.ts';
import type { OfflineUse } from '../policy-set.ts';

export interface OfflineUseDocument extends DocumentName, OfflineUse {}

/** From what a restart of the backend takes to a quarter of a year for nodes that never see it. */
const FOR = { least: 60_000, most: MAX_OFFLINE_MS };

/** Reads one document as an OfflineUse, as `readClusterImagePolicy` reads a policy. */
export function readOfflineUse(document: Field): OfflineUseDocument | undefined {
  const read = readNamedSpec(document, OFFLINE_USE_TABLES, 'add spec.images and spec.for');
  if (read === undefined) return undefined;
  const { name, spec, fields } = read;
  const images = required(spec, fields, 'images', 'add a list of globs');
  const duration = required(spec, fields, 'for', 'say how long, as in 72h');
  const silence = fields.get('afterWorkerSilence');
  const silenceMs = silence === undefined ? WORKER_SILENCE_MS : readDuration(silence, FOR);
  const globs = images && readList(images, MAX_GLOBS)?.map(readImage);
  const forMs = duration && readDuration(duration, FOR);
  if (name === undefined || globs === undefined || forMs === undefined || silenceMs === undefined) return undefined;
  return { ...name, images: globs.filter((glob) => glob !== undefined), forMs, silenceMs };
}
