import { inert, quote as quoteWhole } from '../text/quote.ts';

/** One thing wrong with a policy directory. */
export interface PolicyProblem {
  /** Relative to the directory. */
  readonly file: string;
  /** From 1; absent when it is about a file as a whole. */
  readonly line?: number;
  readonly column?: number;
  /** For example `spec.authorities[0].key`; empty for a document or a file. */
  readonly field: string;
  /** What was expected, what was found, what to do. */
  readonly message: string;
}

/** One problem as one line that editors can jump to: `demo.yaml:12:7 spec.mode: expected ..., found ...; ...`. */
export function formatProblem({ file, line, column, field, message }: PolicyProblem): string {
  const place = line === undefined || column === undefined ? file : `${file}:${line}:${column}`;
  return field === '' ? `${place}: ${message}` : `${place} ${field}: ${message}`;
}

/** The same problem as a person reads it who knows no directory: one of the directory as a whole names it. */
export function inDirectory(problem: PolicyProblem, directory: string): PolicyProblem {
  return problem.file === '.' ? { ...problem, file: inert(directory) } : problem;
}

/** Text of a policy as an error may repeat it: short, one line, quoted. */
export function quote(text: string): string {
  return quoteWhole(text.length > 60 ? `${text.slice(0, 60)}..` : text);
}
