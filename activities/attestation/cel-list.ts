import {
  type CelFunc,
  type CelList,
  CelScalar,
  type CelValue,
  celFunc,
  celList,
  celListConcat,
  listType,
} from '@bufbuild/cel';

type Chunk = readonly CelValue[];

const LIST = listType(CelScalar.DYN);

/** Of what the lists consist that `concat` made: longest chunk first, each at least twice as long as the next. */
const chunksOf = new WeakMap<CelList, readonly Chunk[]>();

/**
 * `+` for lists. `@bufbuild/cel` nests one list in the other, and `map` and `filter` add one element at a time: reading the
 * result overflowed the stack from a few thousand elements on.
 */
export const LIST_FUNCTIONS: readonly CelFunc[] = [celFunc('_+_', [LIST, LIST], LIST, concat)];

function concat(left: CelList, right: CelList): CelList {
  const chunks: Chunk[] = [];
  for (const chunk of [...chunksIn(left), ...chunksIn(right)]) append(chunks, chunk);
  const list = celListConcat(...chunks.map((chunk) => celList(chunk)));
  chunksOf.set(list, chunks);
  return list;
}

function chunksIn(list: CelList): readonly Chunk[] {
  return chunksOf.get(list) ?? [[...list]];
}

/** Every element is copied at most about log2(n) times, and a list has at most log2(n) chunks. */
function append(chunks: Chunk[], chunk: Chunk): void {
  let last = chunk;
  for (let before = chunks.at(-1); before !== undefined && before.length < 2 * last.length; before = chunks.at(-1)) {
    last = [...before, ...last];
    chunks.pop();
  }
  if (last.length > 0) chunks.push(last);
}
