import type { WireCheck, WireVerdict } from '../proto/schema.ts';

const MARK: Readonly<Record<WireCheck['state'], string>> = {
  STATE_UNSPECIFIED: '?',
  RUNNING: '…',
  RETRYING: '↻',
  PASSED: '✓',
  FAILED: '✗',
};

const COLOUR: Readonly<Record<WireCheck['state'], string>> = {
  STATE_UNSPECIFIED: '0',
  RUNNING: '2',
  RETRYING: '33',
  PASSED: '32',
  FAILED: '31',
};

/** Prints steps as they happen: each one when it ends, and each new reason for which it is tried again. */
export interface Staircase {
  show(checks: readonly WireCheck[]): void;
  end(verdict: WireVerdict): void;
}

/** `colour` only on a terminal; text from outside can't move the cursor. */
export function createStaircase(write: (text: string) => void, colour: boolean): Staircase {
  const shown = new Map<string, string>();
  const paint = (code: string, text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  return {
    show(checks) {
      for (const check of checks) {
        const line = `${check.state}${check.detail}`;
        if (check.state === 'RUNNING' || shown.get(check.title) === line) continue;
        shown.set(check.title, line);
        write(`  ${paint(COLOUR[check.state], MARK[check.state])} ${plain(check.title)}: ${plain(check.detail)}\n`);
      }
    },
    end(verdict) {
      const code = verdict.outcome === 'ALLOW' ? '32' : '31';
      const outcome = verdict.outcome.toLowerCase();
      for (const [i, reason] of verdict.reasons.entries()) {
        const lead = i === 0 ? paint(code, outcome) : ' '.repeat(outcome.length);
        write(`${lead} ${plain(reason.code)}: ${plain(reason.sentence)}\n`);
      }
      for (const signer of verdict.signers) write(`signed by ${plain(signer.identity)} (${plain(signer.authority)})\n`);
      if (verdict.policyRevision !== '') write(`policy revision ${verdict.policyRevision}\n`);
      if (verdict.workflowId !== '') write(`workflow ${plain(verdict.workflowId)}\n`);
      if (verdict.decisionId !== '') write(`decision ${plain(verdict.decisionId)}\n`);
    },
  };
}

/** Text without control characters. */
export function plain(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '?');
}
