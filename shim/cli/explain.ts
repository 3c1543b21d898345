import { parseArgs } from 'node:util';
import type { Verdict } from '../../workflows/verdict.ts';
import { fromStatement, STATEMENT_PAYLOAD_TYPE } from '../../workflows/verification-summary.ts';
import { plainJson, plainText } from '../plain-text.ts';
import { connectBackend, type RunState } from '../temporal.ts';
import { readUnchecked } from '../verdict-check.ts';
import { loadVerdictKeys } from '../verdict-key-files.ts';
import { believe, openEnvelope, parseEnvelope, type VerdictKeys } from '../verdict-keys.ts';
import { toWireCheck, toWireVerdict } from '../wire.ts';
import { DEFAULT_TASK_QUEUE } from './options.ts';
import { createStaircase } from './staircase.ts';

const HELP = `Tells how a decision came about, from the id in a refusal.

Usage: portcullis explain DECISION-ID [OPTIONS]

  --verdict-keys PATH  also check the verdict's signature: a public key, or a directory of *.pub files
  --output text|json   (default text)

Runs on any machine that reaches Temporal (TEMPORAL_ADDRESS and the other variables of the Temporal CLI).
Exits with 1 when there is nothing to explain, or a signature does not hold.

Example: portcullis explain 4xk2m9q7w1b3c`;

const DEADLINE_MS = 10_000;

export const explainCommand = {
  help: HELP,
  async run(args: readonly string[]): Promise<number> {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { 'verdict-keys': { type: 'string' }, output: { type: 'string', default: 'text' } },
    });
    const [id] = positionals;
    const good = positionals.length === 1 && ['text', 'json'].includes(values.output);
    if (id === undefined || !good || !/^[0-9a-z]{13}$/.test(id)) {
      console.error(
        'portcullis explain: expected one DECISION-ID, 13 letters and digits; see "portcullis explain --help"',
      );
      return 2;
    }
    const keys = values['verdict-keys'] === undefined ? undefined : await loadVerdictKeys(values['verdict-keys']);
    const runs = (await findRuns(id)).map((run) => explain(run, keys));
    if (runs.length === 0) {
      console.error(
        `portcullis explain: Temporal knows no verification ${id}; it never reached Temporal, or its history has expired`,
      );
      return 1;
    }
    if (values.output === 'json') console.log(plainJson(runs, 2));
    else for (const run of runs) print(run);
    return runs.some(({ signature }) => signature === 'does not hold' || signature === 'outside the window of its key')
      ? 1
      : 0;
  },
};

async function findRuns(id: string): Promise<readonly RunState[]> {
  const backend = connectBackend(DEFAULT_TASK_QUEUE);
  try {
    return await backend.find(id, Date.now() + DEADLINE_MS);
  } finally {
    await backend.close();
  }
}

/** A run with what its result says, which is believed as far as `signature` says. */
interface Explanation extends Omit<RunState, 'result'> {
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

function print(run: Explanation): void {
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
