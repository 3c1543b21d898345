import { type Digest, parseDigest } from '../../workflows/format/digest.ts';

/** One image that a node lets in without asking anybody. */
export interface ListedDigest {
  readonly digest: Digest;
  /** For people: the digest decides, because the same bytes are the same image under every name. */
  readonly name: string;
  /** `<file>:<line>`. */
  readonly from: string;
}

/** What is wrong with a line, or with a whole file. */
export interface ListProblem {
  readonly from: string;
  readonly problem: string;
}

export interface ListContent {
  readonly listed: readonly ListedDigest[];
  readonly problems: readonly ListProblem[];
}

/** A node starts with some dozens of images. */
const MAX_LINES = 10_000;
const MAX_NAME = 512;

/**
 * Reads a bootstrap list: a line is `sha256:<64 hex digits>`, blanks, and the name for people, as `sha256sum` writes them; what
 * follows a `#`, and empty lines, say nothing. A line that can't be read lets nothing in and is reported; the others count,
 * so that one mistake doesn't keep a node from starting.
 */
export function parseList(text: string, file: string): ListContent {
  const listed: ListedDigest[] = [];
  const problems: ListProblem[] = [];
  const lines = text.split('\n');
  if (lines.length > MAX_LINES) {
    return {
      listed,
      problems: [{ from: file, problem: `expected at most ${MAX_LINES} lines, found ${lines.length}` }],
    };
  }
  for (const [index, line] of lines.entries()) {
    const from = `${file}:${index + 1}`;
    const content = line.replace(/(^|\s)#.*$/, '').trim();
    if (content === '') continue;
    const [, hex = '', name = ''] = /^(\S+)(?:\s+(\S+))?$/.exec(content) ?? [];
    const digest = parseDigest(hex);
    if (digest === undefined || name.length > MAX_NAME) {
      const found = JSON.stringify(content.slice(0, 100));
      problems.push({ from, problem: `expected "sha256:<64 hex digits>  NAME", found ${found}` });
    } else listed.push({ digest, name, from });
  }
  return { listed, problems };
}
