import { readFileSync } from 'node:fs';

/** One mutant as Stryker reports it (mutation-testing-report-schema 3), with the text that it replaces. */
export interface Mutant {
  readonly file: string;
  readonly line: number;
  readonly original: string;
  readonly replacement: string;
  readonly survived: boolean;
}

/** A mutant that no test can notice. It is found by its text, so that it stays where it is when lines move. */
export interface Equivalent {
  readonly file: string;
  readonly original: string;
  readonly replacement: string;
  /** Why no input can tell it from the original. */
  readonly reason: string;
}

interface Position {
  readonly line: number;
  readonly column: number;
}

interface Report {
  readonly files: Readonly<
    Record<
      string,
      {
        readonly source: string;
        readonly mutants: readonly {
          readonly replacement?: string;
          readonly status: string;
          readonly location: { readonly start: Position; readonly end: Position };
        }[];
      }
    >
  >;
}

/** The mutants of a report that were tried. Lines and columns of a report begin with 1. */
export function readReport(path: string): readonly Mutant[] {
  // Stryker wrote it a moment ago.
  const { files } = JSON.parse(readFileSync(path, 'utf8')) as Report;
  return Object.entries(files).flatMap(([file, { source, mutants }]) =>
    mutants
      .filter(({ status }) => status !== 'Ignored' && status !== 'CompileError' && status !== 'RuntimeError')
      .map(({ replacement = '', status, location: { start, end } }) => ({
        file,
        line: start.line,
        original: textBetween(source.split('\n'), start, end),
        replacement: onOneLine(replacement),
        survived: status === 'Survived' || status === 'NoCoverage',
      })),
  );
}

/** The equivalents that are accepted, from the file beside this one. */
export function readEquivalents(): readonly Equivalent[] {
  // Ours, and checked in.
  return JSON.parse(readFileSync(new URL('equivalents.json', import.meta.url), 'utf8')) as readonly Equivalent[];
}

export function isEquivalent(mutant: Mutant, equivalents: readonly Equivalent[]): boolean {
  return equivalents.some(
    ({ file, original, replacement }) =>
      file === mutant.file && original === mutant.original && replacement === mutant.replacement,
  );
}

function textBetween(lines: readonly string[], start: Position, end: Position): string {
  const within = lines.slice(start.line - 1, end.line);
  const last = within.length - 1;
  return onOneLine(
    within
      .map((line, i) => line.slice(i === 0 ? start.column - 1 : 0, i === last ? end.column - 1 : undefined))
      .join('\n'),
  );
}

function onOneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}
