import type { Random } from '../random.ts';
import { MAX_GROWN } from './bytes.ts';

/** Pieces that mean something to YAML, to notes or to CEL. */
const TOKENS = [
  ...['&a', '*a', '<<: *a', '!!binary ', '!!js/function ', '? ', '- ', ': ', '---\n', '...\n', '%YAML 1.2\n', '# '],
  ...['|', '>-', '"', "'", '{', '}', '[', ']', ',', '\t', '\r\n', '\u2028', '\ufeff', '\u202e', '\u0000', '\u001b[2J'],
  ...['null', '~', 'true', 'no', '0x10', '1e999', '.inf', '-0', '2026-01-01', '\u2014 ', '\n\n', '^(a+)+$', '**', '*'],
  ...['kind: TrustRoot', 'kind: AuthorityRequirement', 'authorities: []', 'static: {action: pass}', 'glob: "**"'],
  ...[
    'predicate',
    '.all(x, x)',
    '.exists(x, true)',
    ' && ',
    ' || ',
    '!',
    '==',
    '1u',
    '0x',
    'b"',
    'r"',
    '\\x',
    '(',
    ')',
  ],
];

/** Changes the lines of a text: their order, their indentation, what stands in them. */
export function mutateText(bytes: Buffer, random: Random, other: Buffer): Buffer {
  const lines = bytes.toString().split('\n');
  const at = random.below(lines.length);
  const line = lines[at] ?? '';
  const instead = (...others: readonly string[]) =>
    Buffer.from([...lines.slice(0, at), ...others, ...lines.slice(at + 1)].join('\n'));
  switch (random.below(9)) {
    case 0:
      return instead();
    case 1:
      return instead(line, line);
    case 2:
      return instead(lines[random.below(lines.length)] ?? '', line);
    case 3:
      return instead(`${' '.repeat(random.below(6))}${line}`);
    case 4:
      return instead(line.replace(/^ {1,2}/, ''));
    case 5:
      return instead(
        ...other
          .toString()
          .split('\n')
          .slice(random.below(10), 10 + random.below(20)),
        line,
      );
    case 6: {
      const copies = Math.min(10 ** (1 + random.below(4)), Math.floor(MAX_GROWN / (line.length + 1)));
      return instead(...Array.from({ length: copies }, () => line));
    }
    default: {
      const column = random.below(line.length + 1);
      return instead(`${line.slice(0, column)}${random.pick(TOKENS)}${line.slice(column + random.below(3))}`);
    }
  }
}
