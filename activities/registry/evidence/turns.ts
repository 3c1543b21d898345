/**
 * Puts items in an order in which every group has its turn, so that a flood of one kind can't hide the others when only
 * the first ones are looked at. The first key makes the groups, the next one makes groups within them, and so on; within
 * the last one the order stays.
 */
export function inTurns<T>(items: readonly T[], ...keys: readonly ((item: T) => string)[]): readonly T[] {
  const [key, ...inner] = keys;
  if (key === undefined) return items;
  let waiting = [...Map.groupBy(items, key).values()].map((group) => inTurns(group, ...inner));
  const mixed: T[] = [];
  for (let turn = 0; waiting.length > 0; turn++) {
    for (const group of waiting) mixed.push(...group.slice(turn, turn + 1));
    waiting = waiting.filter((group) => group.length > turn + 1);
  }
  return mixed;
}
