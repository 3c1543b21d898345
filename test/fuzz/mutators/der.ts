import type { Random } from '../random.ts';
import { MAX_GROWN, mutateBytes } from './bytes.ts';

/** A DER element: one that holds elements, or one that holds bytes. */
interface Element {
  readonly tag: number;
  readonly content: Buffer | readonly Element[];
}

const MAX_DEPTH = 40;
const TAGS = [0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0c, 0x17, 0x18, 0x30, 0x31, 0x80, 0x81, 0x86, 0xa0, 0xa3];

/** Changes one element of DER, and has all lengths around it fit; `undefined` when the bytes are no DER. */
export function mutateDer(bytes: Buffer, random: Random): Buffer | undefined {
  const elements = read(bytes, 0);
  if (elements === undefined || elements.length === 0) return undefined;
  const count = elements.reduce((sum, element) => sum + size(element), 0);
  const changed = changeNth(elements, random.below(count), random);
  const written = Buffer.concat(changed.map(write));
  return written.length <= MAX_GROWN ? written : undefined;
}

function read(bytes: Buffer, depth: number): readonly Element[] | undefined {
  const elements: Element[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at] ?? 0;
    const first = bytes[at + 1];
    if (first === undefined || (tag & 0x1f) === 0x1f || (first > 0x80 && first > 0x84) || first === 0x80)
      return undefined;
    const more = first < 0x80 ? 0 : first & 0x7f;
    if (at + 2 + more > bytes.length) return undefined;
    const length = more === 0 ? first : bytes.readUIntBE(at + 2, more);
    const from = at + 2 + more;
    if (from + length > bytes.length) return undefined;
    const content = bytes.subarray(from, from + length);
    // Extensions are DER within octet strings.
    const nests = depth < MAX_DEPTH && ((tag & 0x20) !== 0 || tag === 0x04);
    const inner = nests ? read(content, depth + 1) : undefined;
    elements.push({ tag, content: inner === undefined || inner.length === 0 ? content : inner });
    at = from + length;
  }
  return elements;
}

function size({ content }: Element): number {
  return Buffer.isBuffer(content) ? 1 : content.reduce((sum, element) => sum + size(element), 1);
}

function changeNth(elements: readonly Element[], nth: number, random: Random): readonly Element[] {
  let rest = nth;
  for (const [i, element] of elements.entries()) {
    const around = (...instead: readonly Element[]) => [...elements.slice(0, i), ...instead, ...elements.slice(i + 1)];
    if (rest === 0) return around(...change(element, elements, random));
    if (rest < size(element) && !Buffer.isBuffer(element.content)) {
      return around({ tag: element.tag, content: changeNth(element.content, rest - 1, random) });
    }
    rest -= size(element);
  }
  return elements;
}

function change(element: Element, siblings: readonly Element[], random: Random): readonly Element[] {
  const { tag, content } = element;
  switch (random.below(9)) {
    case 0:
      return [];
    case 1:
      return [element, element];
    case 2:
      return [{ tag: random.oneIn(2) ? random.pick(TAGS) : tag ^ (1 << random.below(8)), content }];
    case 3:
      return [random.pick(siblings), element];
    case 4:
      return [{ tag, content: [element] }];
    case 5:
      return [{ tag, content: Buffer.alloc(0) }];
    case 6: {
      let nested = element;
      for (let i = random.below(2000); i > 0; i--) nested = { tag: 0x30, content: [nested] };
      return [nested];
    }
    default: {
      const plain = Buffer.isBuffer(content) ? content : Buffer.concat(content.map(write));
      return [{ tag, content: mutateBytes(plain, random, plain) }];
    }
  }
}

function write(element: Element): Buffer {
  // Without recursion into what `change` may have nested by the thousand.
  let tag = element.tag;
  let content = element.content;
  const tags: number[] = [];
  while (!Buffer.isBuffer(content)) {
    const [only] = content;
    if (content.length !== 1 || only === undefined) break;
    tags.push(tag);
    ({ tag, content } = only);
  }
  let written = wrap(tag, Buffer.isBuffer(content) ? content : Buffer.concat(content.map(write)));
  for (const outer of tags.reverse()) written = wrap(outer, written);
  return written;
}

function wrap(tag: number, content: Buffer): Buffer {
  if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content]);
  const hex = content.length.toString(16);
  const length = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, content]);
}
