import { isAlias, isCollection, isMap, isPair, isScalar, LineCounter, parseAllDocuments } from 'yaml';
import { MAX_POLICIES, MAX_POLICY_DEPTH, MAX_POLICY_PROBLEMS } from '../limits.ts';
import type { PolicyProblem } from './problem.ts';

/** Adds a problem at an offset of the text. */
export type Report = (offset: number, field: string, message: string) => void;

/** The root nodes of the documents in one file, with a way to say what is wrong where. */
export interface YamlFile {
  readonly roots: readonly { readonly node: unknown; readonly offset: number }[];
  readonly report: Report;
  /** Grows with every report. */
  readonly problems: readonly PolicyProblem[];
}

/**
 * Reads a file as YAML 1.2 documents. Refused: bytes that are not text, syntax errors, aliases and tags (both make a
 * text mean more than it shows), keys that repeat, and deep nesting. Empty documents are left out.
 */
export function readYaml(file: string, bytes: Uint8Array): YamlFile {
  const problems: PolicyProblem[] = [];
  const lines = new LineCounter();
  const report: Report = (offset, field, message) => {
    if (problems.length === MAX_POLICY_PROBLEMS) return;
    const { line, col } = lines.linePos(offset);
    problems.push({ file, ...(line > 0 ? { line, column: col } : {}), field, message });
  };
  const text = decode(bytes);
  const hostile = text === undefined ? 'expected UTF-8 text, found other bytes; save it as UTF-8' : costly(text);
  if (text === undefined || hostile !== undefined) {
    report(-1, '', hostile ?? '');
    return { roots: [], report, problems };
  }
  const documents = parse(text, lines);
  if (documents === undefined) report(-1, '', 'expected YAML, found text that the parser gave up on; simplify it');
  const roots = (documents ?? []).flatMap((document) => {
    const [error] = [...document.errors, ...document.warnings];
    const node: unknown = document.contents;
    const offset = document.contents?.range[0] ?? 0;
    if (error !== undefined) report(error.pos[0], '', `expected YAML, found an error: ${error.message}; correct it`);
    else if (checkShape(node, report) && !isEmpty(node)) return [{ node, offset }];
    return [];
  });
  return { roots, report, problems };
}

function parse(text: string, lineCounter: LineCounter) {
  // Keys are compared by `checkKeys`: the parser's own way takes a time that grows with the square of their number.
  const options = { lineCounter, uniqueKeys: false, stringKeys: true, prettyErrors: false } as const;
  const dialect = { version: '1.2', schema: 'core', resolveKnownTags: false, logLevel: 'silent' } as const;
  try {
    return parseAllDocuments(text, { ...options, ...dialect });
  } catch {
    // Its stack ends before ours does; the text is refused like any other that is no YAML.
    return undefined;
  }
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return [...CONTROL].some((character) => text.includes(character)) ? undefined : text;
  } catch {
    // Not UTF-8.
    return undefined;
  }
}

/** What YAML 1.2 calls not printable (section 5.1), as far as bytes that are no text are told by it. */
const CONTROL = String.fromCodePoint(...[...Array(32).keys()].filter((code) => ![9, 10, 13].includes(code)), 127);

/** Finds before parsing what would keep the parser busy: it answers deep nesting with a stack overflow per level. */
function costly(text: string): string | undefined {
  if ((text.match(/^---/gm)?.length ?? 0) > MAX_POLICIES) {
    return `expected at most ${MAX_POLICIES} documents, found more; split the file`;
  }
  let depth = 0;
  for (const character of text) {
    if (character === '[' || character === '{') depth += 1;
    else if (character === ']' || character === '}') depth -= 1;
    // Below zero as well: the parser takes a time that grows with the square of brackets that close nothing.
    if (Math.abs(depth) > MAX_POLICY_DEPTH) return TOO_DEEP;
  }
  const compact = text.match(/^[ \t]*(?:[-?:][ \t]+){2,}/gm) ?? [];
  return compact.some((run) => run.replaceAll(/[^-?:]/g, '').length > MAX_POLICY_DEPTH) ? TOO_DEEP : undefined;
}

const TOO_DEEP = `expected at most ${MAX_POLICY_DEPTH} levels, found more; a policy has six`;

/** Walks a document without recursion. */
function checkShape(root: unknown, report: Report): boolean {
  const waiting: { readonly node: unknown; readonly depth: number }[] = [{ node: root, depth: 0 }];
  let sound = true;
  const refuse = (node: unknown, message: string) => {
    sound = false;
    report(offsetOf(node), '', message);
  };
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { node, depth } = next;
    if (isAlias(node)) refuse(node, 'expected a value, found a YAML alias; write the value out');
    else if ((isScalar(node) || isCollection(node)) && node.tag !== undefined && node.tag.startsWith('!')) {
      refuse(node, 'expected a plain value, found a YAML tag; remove it');
    } else if (depth > MAX_POLICY_DEPTH) refuse(node, TOO_DEEP);
    else if (isCollection(node)) {
      if (isMap(node)) checkKeys(node.items, refuse);
      for (const item of node.items) waiting.push({ node: isPair(item) ? item.value : item, depth: depth + 1 });
    }
  }
  return sound;
}

function checkKeys(pairs: readonly { readonly key: unknown }[], refuse: (node: unknown, message: string) => void) {
  const seen = new Set<string>();
  for (const { key } of pairs) {
    const name = isScalar(key) ? String(key.value) : '';
    if (seen.has(name)) refuse(key, `expected each field once, found ${JSON.stringify(name.slice(0, 60))} again`);
    seen.add(name);
  }
}

/** Where a node begins; 0 for one that is not there. */
export function offsetOf(node: unknown): number {
  return (isAlias(node) || isScalar(node) || isCollection(node)) && node.range ? node.range[0] : 0;
}

function isEmpty(node: unknown): boolean {
  return node === null || (isScalar(node) && node.value === null);
}
