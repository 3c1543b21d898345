import { readFileSync } from 'node:fs';
import { isReasonCode, REASON_OUTCOME } from '../../workflows/verdict/reason.ts';

/** What the pages say of a code. */
export interface ExplainedCode {
  readonly code: string;
  /** `launcher` for the words of the launcher itself, which refuses without having asked anybody. */
  readonly outcome: 'allow' | 'deny' | 'inconclusive' | 'launcher';
  readonly cause: string;
  readonly cure: string;
}

/** The pages that explain every code, by a path that leads there from `lib/node` of a release as well. */
const PAGES = ['../../workflows/README.md', '../launcher/README.md'];

/** A page is written here; one that is larger is another file. */
const MAX_BYTES = 256 * 1024;

/** Every code that a person can meet, as the pages explain it: the one place where causes and cures are written. */
export function explainedCodes(): ReadonlyMap<string, ExplainedCode> {
  const rows = PAGES.flatMap((page) => parsePage(readFileSync(new URL(page, import.meta.url), 'utf8')));
  return new Map(rows.map((row) => [row.code, row]));
}

/** The rows of a page's tables of codes, whose first column is called so: code, outcome (not the launcher's), cause, cure. */
export function parsePage(markdown: string): readonly ExplainedCode[] {
  if (Buffer.byteLength(markdown) > MAX_BYTES) throw new Error(`expected a page of at most ${MAX_BYTES} bytes`);
  const rows: ExplainedCode[] = [];
  let isOfCodes = false;
  for (const line of markdown.split('\n')) {
    const cells = /^\|(.*)\|\s*$/
      .exec(line)?.[1]
      ?.split(' | ')
      .map((cell) => cell.replaceAll('`', '').trim());
    const [code = '', ...rest] = cells ?? [];
    if (cells === undefined) isOfCodes = false;
    else if (code === 'code') isOfCodes = true;
    else if (isOfCodes && /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/.test(code)) rows.push(explained(code, rest));
  }
  return rows;
}

function explained(code: string, rest: readonly string[]): ExplainedCode {
  const [cure = '', cause = ''] = rest.toReversed();
  return { code, outcome: isReasonCode(code) ? REASON_OUTCOME[code] : 'launcher', cause, cure };
}

/** Codes and decision ids in a line that somebody pasted: of containerd, a pod's event, a log. */
export function findInLine(line: string, codes: ReadonlyMap<string, ExplainedCode>) {
  const words = line.slice(0, 64 * 1024).match(/[A-Z][A-Z0-9_]+/g) ?? [];
  return {
    codes: [...new Set(words)].flatMap((word) => codes.get(word) ?? []),
    decisionId: /portcullis explain ([0-9a-z]{13})\b/.exec(line)?.[1],
  };
}

/** The codes that somebody may have meant, who left out a part or wrote it another way. */
export function similar(word: string, codes: Iterable<string>): readonly string[] {
  const letters = (text: string) => text.toUpperCase().replaceAll(/[^A-Z0-9]/g, '');
  const asked = letters(word.slice(0, 64));
  if (asked.length < 3) return [];
  return [...codes].filter((code) => letters(code).includes(asked) || asked.includes(letters(code)));
}
