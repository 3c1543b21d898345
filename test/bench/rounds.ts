/** Calls `task` with 0 to `count - 1`, at most `atOnce` at a time; answers in the order of the numbers. */
export async function inParallel<T>(
  count: number,
  atOnce: number,
  task: (round: number) => Promise<T>,
): Promise<readonly T[]> {
  const results: T[] = [];
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const round = next++;
      results[round] = await task(round);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return results;
}

/** Calls `task` with 0 to `count - 1`, one after the other. */
export function inTurn<T>(count: number, task: (round: number) => Promise<T>): Promise<readonly T[]> {
  return inParallel(count, 1, task);
}
