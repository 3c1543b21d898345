import { type ImageName, parseName } from '../../workflows/format/name.ts';
import { EvidenceError } from '../evidence-error.ts';

/** Reads a name that came through Temporal, where a node has already checked it. Throws REQUEST_INVALID. */
export function imageName(text: string): ImageName {
  const name = parseName(text);
  if (name === undefined) {
    throw new EvidenceError('REQUEST_INVALID', `expected an image name, got ${JSON.stringify(text.slice(0, 80))}`, {
      retryable: false,
    });
  }
  return name;
}
