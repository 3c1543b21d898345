import { RE2JS } from 're2js';

/** How text of a certificate is compared: an exact string is exact, a pattern has to match the whole text. */
export type TextPattern =
  | { readonly kind: 'exact'; readonly text: string }
  | { readonly kind: 'pattern'; readonly source: string; readonly expression: RE2JS };

export type PatternResult =
  | { readonly ok: true; readonly pattern: TextPattern }
  | { readonly ok: false; readonly problem: string };

/** Longer than any identity; bounds what one match costs. */
export const MAX_PATTERN_LENGTH = 1024;

/** A pattern that matches one text, character by character. */
export function exactly(text: string): TextPattern {
  return { kind: 'exact', text };
}

/**
 * Compiles a pattern in the syntax of RE2 (Go `regexp/syntax`), which has no backtracking. It is anchored at both
 * ends: cosign and policy-controller search anywhere in the text, so that `github.com/acme` there also matches
 * `https://evil.example/github.com/acme`. `problem` completes "the pattern is not usable: ".
 */
export function compilePattern(source: string): PatternResult {
  if (source === '') return { ok: false, problem: 'it is empty and would match only nothing' };
  if (source.length > MAX_PATTERN_LENGTH) {
    return { ok: false, problem: `expected at most ${MAX_PATTERN_LENGTH} characters, found ${source.length}` };
  }
  try {
    return { ok: true, pattern: { kind: 'pattern', source, expression: RE2JS.compile(source) } };
  } catch (error) {
    return { ok: false, problem: `expected RE2 syntax, found ${error instanceof Error ? error.message : 'an error'}` };
  }
}

/** Tells whether the whole text matches. */
export function matches(pattern: TextPattern, text: string): boolean {
  switch (pattern.kind) {
    case 'exact':
      return pattern.text === text;
    case 'pattern':
      return pattern.expression.matches(text);
  }
}

/** The pattern as a policy writes it, for sentences. */
export function describePattern(pattern: TextPattern): string {
  switch (pattern.kind) {
    case 'exact':
      return pattern.text;
    case 'pattern':
      return `/${pattern.source}/`;
  }
}
