import { plainText } from '../../workflows/format/plain-text.ts';
import type { Verdict } from '../../workflows/verdict/verdict.ts';
import { fromStatement, STATEMENT_PAYLOAD_TYPE } from '../../workflows/verdict/verification-summary.ts';
import type { RunState } from '../backend/backend.ts';
import { connectBackend } from '../backend/temporal.ts';
import { toWireCheck, toWireVerdict } from '../grpc/wire.ts';
import { readUnchecked } from '../verdict-keys/verdict-check.ts';
import { believe, openEnvelope, parseEnvelope, type VerdictKeys } from '../verdict-keys/verdict-keys.ts';
import { DEFAULT_TASK_QUEUE } from './options.ts';
import { createStaircase } from './staircase.ts';

const DEADLINE_MS = 10_000;

/** The runs of a decision that Temporal still knows, the newest first. Rejects with a BackendProblem. */
export async function explainDecision(id: string, keys: VerdictKeys | undefined): Promise<readonly Explanation[]> {
  return (await findRuns(id)).map((run) => explain(run, keys));
}

async function findRuns(id: string): Promise<readonly RunState[]> {
  const backend = connectBackend(DEFAULT_TASK_QUEUE);
  try {
    return await backend.find(id, Date.now() + DEADLINE_MS);
  } finally {
    await backend.close();
  }
}

/** A run with what its result says, which is believed as far as `signature` says. */
export interface Explanation extends Omit<RunState, 'result'> {
  readonly verdict: Verdict | undefined;
  readonly signature: 'none' | 'not checked' | 'holds' | 'outside the window of its key' | 'does not hold';
}

function explain({ result, ...run }: RunState, keys: VerdictKeys | undefined): Explanation {
  const envelope = parseEnvelope(
    typeof result === 'object' && result !== null && 'envelope' in result ? result.envelope : undefined,
  );
  if (envelope === undefined) return { ...run, verdict: undefined, signature: 'none' };
  if (keys === undefined) return { ...run, verdict: readUnchecked(envelope), signature: 'not checked' };
  const opened = openEnvelope(envelope, STATEMENT_PAYLOAD_TYPE, keys);
  if (opened === undefined) return { ...run, verdict: undefined, signature: 'does not hold' };
  const verdict = fromStatement(opened.content);
  // What was decided in the past is judged by that time: its key may have been replaced since.
  const isGood = verdict === undefined || believe(opened.signatories, verdict.decidedAt).ok;
  if (!isGood) return { ...run, verdict: undefined, signature: 'outside the window of its key' };
  return { ...run, verdict, signature: 'holds' };
}

const SIGNATURE: Readonly<Record<Explanation['signature'], string>> = {
  none: '',
  'not checked': 'signature not checked: give --verdict-keys\n',
  holds: 'signature holds under the given verdict keys\n',
  'outside the window of its key': 'SIGNED OUTSIDE THE WINDOW of the key: no verdict is shown\n',
  'does not hold': 'SIGNATURE DOES NOT HOLD under the given verdict keys: no verdict is shown\n',
};

/** The whole staircase of a run, for people. */
export function printExplanation(run: Explanation): void {
  const { workflowId, runId, status, startedAt, checks, verdict, signature, failure } = run;
  const write = (text: string) => void process.stdout.write(text);
  const staircase = createStaircase(write, process.stdout.isTTY === true);
  write(`${plainText(workflowId)}\n`);
  write(`run ${plainText(runId)}, ${plainText(status.toLowerCase())}, started ${startedAt.toISOString()}\n`);
  staircase.show(checks.map(toWireCheck));
  if (verdict !== undefined) staircase.end(toWireVerdict({ by: 'verdict', verdict, from: 'backend', workflowId }));
  else if (failure !== undefined) write(`failed: ${plainText(failure)}\n`);
  else if (signature === 'none') write(status === 'RUNNING' ? 'no verdict yet\n' : 'no verdict\n');
  write(SIGNATURE[signature]);
}
