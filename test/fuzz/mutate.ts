import type { Input } from './input.ts';
import { mutateBytes } from './mutators/bytes.ts';
import { mutateDer } from './mutators/der.ts';
import { mutateJson } from './mutators/json.ts';
import { mutateText } from './mutators/text.ts';
import type { Random } from './random.ts';

/** Changes an input in one place or a few; the pieces of another one may find their way into it. */
export function mutate(input: Input, other: Input, random: Random): Input {
  const names = Object.keys(input.parts);
  let parts = input.parts;
  do {
    const name = random.pick(names);
    const bytes = parts[name] ?? Buffer.alloc(0);
    parts = { ...parts, [name]: mutatePart(bytes, other.parts[name] ?? bytes, random) };
  } while (random.oneIn(3));
  return { seed: input.seed, parts };
}

function mutatePart(bytes: Buffer, other: Buffer, random: Random): Buffer {
  if (random.oneIn(40)) return Buffer.from(other);
  return random.oneIn(5) ? mutateBytes(bytes, random, other) : mutateKnown(bytes, other, random);
}

/** By what the bytes are: a change that their reader understands gets deeper than one that it refuses at the door. */
function mutateKnown(bytes: Buffer, other: Buffer, random: Random): Buffer {
  const inner = (content: Buffer): Buffer => mutatePart(content, other, random);
  return (
    mutatePem(bytes, random, inner) ??
    mutateJson(bytes, random, inner) ??
    (bytes[0] === 0x30 ? mutateDer(bytes, random) : undefined) ??
    (isText(bytes) && random.oneIn(2) ? mutateText(bytes, random, other) : mutateBytes(bytes, random, other))
  );
}

const PEM = /-----BEGIN ([A-Z ]+)-----\n([A-Za-z0-9+/=\n]+)-----END \1-----/;

function mutatePem(bytes: Buffer, random: Random, inner: (content: Buffer) => Buffer): Buffer | undefined {
  if (bytes[0] !== 0x2d || random.oneIn(3)) return undefined;
  const [block, label = '', body] = PEM.exec(bytes.toString()) ?? [];
  if (block === undefined || body === undefined) return undefined;
  const base64 = inner(Buffer.from(body, 'base64')).toString('base64');
  const lines = base64.match(/.{1,64}/g) ?? [];
  return Buffer.from(
    bytes.toString().replace(block, [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`].join('\n')),
  );
}

function isText(bytes: Buffer): boolean {
  return bytes.subarray(0, 200).every((byte) => byte === 0x0a || byte >= 0x20);
}
