/** Longest fleet name, in characters; it becomes part of workflow ids and of sentences. */
const MAX_FLEET = 100;

/**
 * Whether a text can name a fleet: the workers that apply one policy and the nodes that use it. Task queues, which are
 * the default, usually have such names.
 */
export function isFleetName(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_FLEET && /^[A-Za-z0-9][A-Za-z0-9._:-]*$/.test(value);
}

/** The same rule in words, for messages. */
export const FLEET_RULE = `1 to ${MAX_FLEET} letters, digits and . _ : - that begin with a letter or digit`;

/**
 * Why something that was signed for one fleet does not count in another, to be completed by the name of the thing;
 * `undefined` when it is the same fleet. Without a fleet it comes from a version that named none.
 */
export function foreignFleet(found: string | undefined, own: string): string | undefined {
  if (found === own) return undefined;
  const cure = 'compare --fleet and --task-queue of worker and node';
  if (found === undefined) {
    return `names no fleet, and this node belongs to fleet "${own}"; upgrade the worker that signed it, or export again`;
  }
  return `was signed for fleet "${found}", and this node belongs to fleet "${own}"; ${cure}`;
}
