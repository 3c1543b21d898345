/** Longer names are no slip of the pen; comparing takes a time that grows with the square of the length. */
const MAX_NAME_LENGTH = 64;

/**
 * The known name that an unknown one is likely meant to be: the same letters in another case or with other separators,
 * or at most two letters added, left out, swapped or replaced (one in names of up to six). `undefined` when it is
 * like none of them.
 */
export function nearMiss(name: string, known: readonly string[]): string | undefined {
  if (name.length > MAX_NAME_LENGTH) return undefined;
  const letters = bare(name);
  return known.find((one) => distance(letters, bare(one)) <= (bare(one).length <= 6 ? 1 : 2));
}

/** The known name that has the same letters and digits as another one, whatever its case and separators. */
export function sameLetters(name: string, known: readonly string[]): string | undefined {
  return name.length > MAX_NAME_LENGTH ? undefined : known.find((one) => bare(one) === bare(name));
}

function bare(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
}

/** Edits between two texts (optimal string alignment); stops counting where lengths alone differ by more than two. */
function distance(left: string, right: string): number {
  if (Math.abs(left.length - right.length) > 2) return Number.POSITIVE_INFINITY;
  let before: readonly number[] = [];
  let row: readonly number[] = Array.from({ length: right.length + 1 }, (_, i) => i);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1);
      const edits = Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1);
      const swapped = i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1];
      next.push(swapped ? Math.min(edits, (before[j - 2] ?? 0) + 1) : edits);
    }
    [before, row] = [row, next];
  }
  return row[right.length] ?? Number.POSITIVE_INFINITY;
}
