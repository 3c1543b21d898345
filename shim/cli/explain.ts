import { parseArgs } from 'node:util';
import type { Verdict } from '../../workflows/verdict.ts';
import { fromStatement, STATEMENT_PAYLOAD_TYPE } from '../../workflows/verification-summary.ts';
import { connectBackend, type RunState } from '../temporal.ts';
import { loadVerdictKeys, openEnvelope, parseEnvelope, type VerdictKeys } from '../verdict-keys.ts';
import { toWireCheck, toWireVerdict } from '../wire.ts';
import { DEFAULT_TASK_QUEUE } from './options.ts';
import { createStaircase } from './staircase.ts';

const HELP = `Tells how a decision came about, from the id in a refusal.

Usage: portcullis explain DECISION-ID [OPTIONS]

  --verdict-keys PATH  also check the verdict's signature: a public key, or a directory of *.pub files
  --output text|json   (default text)

Runs on any machine that reaches Temporal (TEMPORAL_ADDRESS and the other variables of the Temporal CLI).

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
    if (id === undefined || !/^[0-9a-z]{13}$/.test(id) || !['text', 'json'].includes(values.output)) {
      console.error(
        'portcullis explain: expected one DECISION-ID, 13 letters and digits; see "portcullis explain --help"',
      );
      return 2;
    }
    const keys = values['verdict-keys'] === undefined ? undefined : await loadVerdictKeys(values['verdict-keys']);
    const backend = connectBackend(DEFAULT_TASK_QUEUE);
    try {
      const runs = await backend.find(id, Date.now() + DEADLINE_MS);
      if (runs.length === 0) {
        console.error(
          `portcullis explain: Temporal knows no verification ${id}; it never reached Temporal, or its history has expired`,
        );
        return 1;
      }
      if (values.output === 'json')
        console.log(
          JSON.stringify(
            runs.map((run) => ({ ...run, verdict: readVerdict(run, keys) })),
            undefined,
            2,
          ),
        );
      else for (const run of runs) explain(run, keys);
      return 0;
    } finally {
      await backend.close();
    }
  },
};

function explain(run: RunState, keys: VerdictKeys | undefined): void {
  const write = (text: string) => void process.stdout.write(text);
  const staircase = createStaircase(write, process.stdout.isTTY === true);
  write(`${run.workflowId}\nrun ${run.runId}, ${run.status.toLowerCase()}, started ${run.startedAt.toISOString()}\n`);
  staircase.show(run.checks.map(toWireCheck));
  const { verdict, signature } = readVerdict(run, keys);
  if (verdict === undefined) write('no verdict yet\n');
  else staircase.end(toWireVerdict({ by: 'verdict', verdict, workflowId: run.workflowId }));
  if (signature !== undefined) write(`${signature}\n`);
}

/** The verdict of a run: what the envelope says, believed only as far as it was checked. */
function readVerdict(
  run: RunState,
  keys: VerdictKeys | undefined,
): { verdict: Verdict | undefined; signature: string | undefined } {
  const result = run.result;
  const envelope = parseEnvelope(
    typeof result === 'object' && result !== null && 'envelope' in result ? result.envelope : undefined,
  );
  if (envelope === undefined) return { verdict: undefined, signature: undefined };
  const content = (): unknown => JSON.parse(Buffer.from(envelope.payload, 'base64').toString());
  if (keys === undefined)
    return { verdict: fromStatement(content()), signature: 'signature not checked: give --verdict-keys' };
  const opened = openEnvelope(envelope, STATEMENT_PAYLOAD_TYPE, keys);
  if (opened === undefined)
    return { verdict: undefined, signature: 'SIGNATURE DOES NOT HOLD under the given verdict keys' };
  return { verdict: fromStatement(opened.content), signature: 'signature holds under the given verdict keys' };
}
