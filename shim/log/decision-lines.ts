import { parseName, repositoryOf } from '../../workflows/format/name.ts';
import { isRecord } from '../../workflows/format/record.ts';
import { isOutcome, type Outcome } from '../../workflows/verdict/reason.ts';

/** One decision out of the daemon's log. */
export interface DecisionLine {
  readonly time: string;
  readonly name: string;
  readonly digest: string;
  readonly decision: Outcome;
  /** `CODE: sentence`. */
  readonly reason: string;
  readonly decisionId: string | undefined;
}

/** A line of the log is less; a longer one is none of ours. */
const MAX_LINE = 64 * 1024;

/** Reads one line of the daemon's log (`shim/README.md`, "Logs"); `undefined` for any other line, whatever it holds. */
export function parseDecisionLine(line: string): DecisionLine | undefined {
  if (line.length > MAX_LINE || !line.includes('"message":"decision"')) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(line.slice(line.indexOf('{')));
  } catch {
    return undefined;
  }
  if (!isRecord(json)) return undefined;
  const { time, message, name, digest, decision, reason, decisionId } = json as {
    [K in 'message' | keyof DecisionLine]?: unknown;
  };
  if (message !== 'decision' || typeof time !== 'string' || typeof reason !== 'string') return undefined;
  if (typeof name !== 'string' || typeof digest !== 'string' || !isOutcome(decision)) return undefined;
  return { time, name, digest, decision, reason, decisionId: typeof decisionId === 'string' ? decisionId : undefined };
}

/**
 * Whether a decision is about what a person typed: a decision id, a digest or the beginning of one, a name in any of its
 * spellings and with or without its tag, or a name with its digest, beside which the CRI drops the tag.
 */
export function isAbout({ name, digest, decisionId }: DecisionLine, asked: string): boolean {
  if (asked === decisionId) return true;
  const hex = digest.slice('sha256:'.length);
  if (/^(sha256:)?[0-9a-f]{8,64}$/.test(asked)) return hex.startsWith(asked.replace('sha256:', ''));
  const [decided, wanted] = [parseName(name), parseName(asked)];
  if (decided === undefined || wanted === undefined) return name === asked;
  if (wanted.digest !== undefined && wanted.digest !== digest) return false;
  const isDropped = wanted.digest !== undefined && decided.tag === undefined;
  const isTag = wanted.tag === undefined || wanted.tag === decided.tag || isDropped;
  return isTag && repositoryOf(wanted) === repositoryOf(decided);
}
