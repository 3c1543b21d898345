import { isOutcome, type Outcome } from '../workflows/reason.ts';
import { isRecord } from '../workflows/record.ts';

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
 * Whether a decision is about what somebody typed: a decision id, a digest or the beginning of one, a name as it is or
 * without what containerd adds to it (`docker.io/library/`, the tag), or a name with its digest.
 */
export function isAbout({ name, digest, decisionId }: DecisionLine, asked: string): boolean {
  if (asked === decisionId) return true;
  const hex = digest.slice('sha256:'.length);
  if (/^(sha256:)?[0-9a-f]{8,64}$/.test(asked)) return hex.startsWith(asked.replace('sha256:', ''));
  const [askedName = '', askedDigest] = asked.split('@');
  if (askedDigest !== undefined && askedDigest !== digest) return false;
  return spellingsOf(name).has(askedName);
}

function spellingsOf(name: string): ReadonlySet<string> {
  const untagged = name.replace(/:[^/:]+$/, '');
  const spellings = [name, untagged];
  for (const prefix of ['docker.io/library/', 'docker.io/']) {
    if (!name.startsWith(prefix)) continue;
    spellings.push(name.slice(prefix.length), untagged.slice(prefix.length));
  }
  return new Set(spellings);
}
