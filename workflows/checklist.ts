import { plainText } from './format/plain-text.ts';
import { isReasonCode, type Outcome, type Reason, type ReasonCode } from './verdict/reason.ts';

/** `retrying` is a check that failed for a reason that may pass; the detail is the last one. */
export type CheckState = 'running' | 'retrying' | 'passed' | 'failed';

/** One step of a verification, as people see it. */
export interface Check {
  readonly title: string;
  readonly state: CheckState;
  readonly detail: string;
  /** Why it failed, or is retried. */
  readonly code?: ReasonCode;
}

/** The steps of one verification in the order they began. */
export interface Checklist {
  /** Sets a step by its title, in place or at the end. */
  set(title: string, state: CheckState, detail: string, code?: ReasonCode): void;
  list(): readonly Check[];
}

/** Makes an empty checklist; `changed` is told about every change. */
export function createChecklist(changed: (checks: readonly Check[]) => void): Checklist {
  const checks = new Map<string, Check>();
  return {
    set(title, state, detail, code) {
      checks.set(title, { title, state, detail, ...(code === undefined ? {} : { code }) });
      changed([...checks.values()]);
    },
    list: () => [...checks.values()],
  };
}

const MARK: Readonly<Record<CheckState, string>> = { running: '⏳', retrying: '🔁', passed: '✅', failed: '❌' };
const HEADLINE: Readonly<Record<Outcome, string>> = {
  allow: '✅ allow',
  deny: '❌ deny',
  inconclusive: '❓ inconclusive',
};

/** The checklist as Markdown for the Temporal UI; text from outside can't leave its code span. */
export function renderChecklist(
  checks: readonly Check[],
  decided?: { readonly outcome: Outcome; readonly reasons: readonly Reason[] },
): string {
  const lines = checks.map(({ title, state, detail, code }) => {
    const why = code === undefined ? '' : `**${code}** `;
    return `- ${MARK[state]} ${codeSpan(title)}: ${why}${codeSpan(detail)}`;
  });
  if (decided === undefined) return lines.join('\n');
  const reasons = decided.reasons.map((reason) => `**${reason.code}** ${codeSpan(reason.sentence)}`);
  return [`### ${HEADLINE[decided.outcome]}`, ...reasons, '', ...lines].join('\n');
}

/** Text from outside as inert Markdown. */
export function codeSpan(text: string): string {
  return `\`${plainText(text).replaceAll('`', "'").replaceAll(/ +/g, ' ')}\``;
}

/** Steps of one verification that are read; a policy with more authorities is judged all the same. */
const MAX_CHECKS = 200;

/** Reads a checklist that Temporal carried: it is told to people and decides nothing. What is no check is left out. */
export function parseChecks(carried: unknown): readonly Check[] {
  if (!Array.isArray(carried)) return [];
  return carried.slice(0, MAX_CHECKS).flatMap((one: unknown) => parseCheck(one) ?? []);
}

function parseCheck(carried: unknown): Check | undefined {
  if (typeof carried !== 'object' || carried === null) return undefined;
  const { title, state, detail, code } = carried as { [K in keyof Check]?: unknown };
  if (typeof title !== 'string' || typeof detail !== 'string' || !isCheckState(state)) return undefined;
  return { title, state, detail, ...(typeof code === 'string' && isReasonCode(code) ? { code } : {}) };
}

function isCheckState(value: unknown): value is CheckState {
  return typeof value === 'string' && Object.hasOwn(MARK, value);
}
