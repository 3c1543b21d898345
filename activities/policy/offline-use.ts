import { MAX_GLOBS } from '../limits.ts';
import { readImage } from './cluster-image-policy.ts';
import { readDuration } from './duration.ts';
import { type Field, readList, readMapping, required } from './field.ts';
import { OFFLINE_USE_TABLES } from './field-tables.ts';
import { type DocumentName, hasVersion, readMetadata } from './metadata.ts';
import type { OfflineUse } from './policy-set.ts';

export interface OfflineUseDocument extends DocumentName, OfflineUse {}

const API_VERSIONS: readonly string[] = ['portcullis.dev/v1alpha1'];

/** From what a restart of the backend takes to a quarter of a year for nodes that never see it. */
const FOR = { least: 60_000, most: 90 * 24 * 3_600_000 };

/** Reads one document as an OfflineUse, as `readClusterImagePolicy` reads a policy. */
export function readOfflineUse(document: Field): OfflineUseDocument | undefined {
  const fields = readMapping(document, OFFLINE_USE_TABLES['']);
  if (fields === undefined || !hasVersion(document, fields, API_VERSIONS)) return undefined;
  const name = readMetadata(document, fields);
  const spec = required(document, fields, 'spec', 'add spec.images and spec.for');
  const inside = spec && readMapping(spec, OFFLINE_USE_TABLES.spec);
  if (spec === undefined || inside === undefined) return undefined;
  const images = required(spec, inside, 'images', 'add a list of globs');
  const duration = required(spec, inside, 'for', 'say how long, as in 72h');
  const globs = images && readList(images, MAX_GLOBS)?.map(readImage);
  const forMs = duration && readDuration(duration, FOR);
  if (name === undefined || globs === undefined || forMs === undefined) return undefined;
  return { ...name, images: globs.filter((glob) => glob !== undefined), forMs };
}
