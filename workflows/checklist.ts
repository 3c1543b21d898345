import type { Outcome, Reason, ReasonCode } from './reason.ts';

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
  return `\`${text.replaceAll('`', "'").replaceAll(/\s+/g, ' ')}\``;
}
