import { plainText } from '../../workflows/format/plain-text.ts';
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

/** `colour` is for a terminal; text from outside is made plain either way. */
export function createStaircase(write: (text: string) => void, colour: boolean): Staircase {
  const shown = new Map<string, string>();
  const paint = (code: string, text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  return {
    show(checks) {
      for (const check of checks) {
        const line = `${check.state}${check.detail}`;
        if (check.state === 'RUNNING' || shown.get(check.title) === line) continue;
        shown.set(check.title, line);
        write(
          `  ${paint(COLOUR[check.state], MARK[check.state])} ${plainText(check.title)}: ${plainText(check.detail)}\n`,
        );
      }
    },
    end(verdict) {
      const code = verdict.outcome === 'ALLOW' ? '32' : '31';
      const outcome = verdict.outcome.toLowerCase();
      for (const [i, reason] of verdict.reasons.entries()) {
        const lead = i === 0 ? paint(code, outcome) : ' '.repeat(outcome.length);
        write(`${lead} ${plainText(reason.code)}: ${plainText(reason.sentence)}\n`);
      }
      for (const { predicateType, identity, authority } of verdict.signers) {
        const what = predicateType === '' ? 'signed' : `${plainText(predicateType)} attested`;
        write(`${what} by ${plainText(identity)} (${plainText(authority)})\n`);
      }
      if (verdict.policyRevision !== '') write(`policy revision ${plainText(verdict.policyRevision)}\n`);
      if (verdict.trustRevision !== '') write(`trust revision ${plainText(verdict.trustRevision)}\n`);
      if (verdict.workflowId !== '') write(`workflow ${plainText(verdict.workflowId)}\n`);
      if (verdict.decisionId !== '') write(`decision ${plainText(verdict.decisionId)}\n`);
    },
  };
}
