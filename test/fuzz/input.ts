import { isRecord } from '../../workflows/format/record.ts';

/** What a target is given: named pieces of bytes, made from one of its seeds. */
export interface Input {
  /** Name of the seed; with it go the things that are not mutated, such as what a policy asks for. */
  readonly seed: string;
  readonly parts: Readonly<Record<string, Buffer>>;
}

/** An input as it is kept in a file. */
export function writeInput({ seed, parts }: Input): string {
  const base64 = Object.entries(parts).map(([name, bytes]) => [name, bytes.toString('base64')]);
  return `${JSON.stringify({ seed, parts: Object.fromEntries(base64) }, undefined, 2)}\n`;
}

/** Reads what {@link writeInput} wrote; throws when it is something else. */
export function readInput(text: string): Input {
  const value: unknown = JSON.parse(text);
  if (!isRecord(value) || typeof value['seed'] !== 'string' || !isRecord(value['parts'])) {
    throw new Error('expected an input of a fuzz target: a seed and its parts');
  }
  const parts = Object.entries(value['parts']).map(([name, base64]) => [name, Buffer.from(String(base64), 'base64')]);
  return { seed: value['seed'], parts: Object.fromEntries(parts) };
}
