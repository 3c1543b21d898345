import { parseArgs } from 'node:util';
import { plainJson, plainText } from '../../workflows/format/plain-text.ts';
import { BackendProblem } from '../backend/backend.ts';
import { loadVerdictKeys } from '../verdict-keys/key-files.ts';
import { type Explanation, explainDecision, printExplanation } from './explain-decision.ts';
import { wrongUsage } from './options.ts';
import { type ExplainedCode, explainedCodes, findInLine, similar } from './reason-pages.ts';

const HELP = `Tells what a refusal means, and how a decision came about.

Usage: portcullis explain DECISION-ID | CODE | LINE [OPTIONS]
       portcullis explain --list

  DECISION-ID          the whole staircase of that decision, as Temporal has it
  CODE                 what a reason such as UNSIGNED means, and what to do
  LINE                 a line that you were shown, pasted as it is: its codes, and its decision where Temporal answers
  --list               every code
  --verdict-keys PATH  also check the verdict's signature: a public key, or a directory of *.pub files
  --output text|json   (default text)

For a decision it needs Temporal (TEMPORAL_ADDRESS and the other variables of the Temporal CLI), for a code nothing.

Exit code 0: explained. 1: there is nothing to explain, or a signature does not hold.

Examples: portcullis explain 4xk2m9q7w1b3c
          portcullis explain WRONG_KEY
          portcullis explain "$(kubectl get events --field-selector reason=Failed -o jsonpath='{.items[-1].message}')"`;

export const explainCommand = {
  help: HELP,
  async run(args: readonly string[]): Promise<number> {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        'verdict-keys': { type: 'string' },
        list: { type: 'boolean', default: false },
        output: { type: 'string', default: 'text' },
      },
    });
    const asked = positionals.join(' ').trim();
    if (!['text', 'json'].includes(values.output) || values.list === (asked !== '')) {
      return wrongUsage('explain', 'expected one DECISION-ID, CODE or LINE');
    }
    const isJson = values.output === 'json';
    const keys = values['verdict-keys'] === undefined ? undefined : await loadVerdictKeys(values['verdict-keys']);
    const codes = explainedCodes();
    if (values.list) return listCodes([...codes.values()], isJson);
    if (/^[0-9a-z]{13}$/.test(asked)) return tell(asked, await explainDecision(asked, keys), isJson);
    const code = codes.get(asked.toUpperCase());
    const found = code === undefined ? findInLine(asked, codes) : { codes: [code], decisionId: undefined };
    if (found.codes.length === 0) return nothing(asked, codes.keys());
    const runs = found.decisionId === undefined ? [] : await explainDecision(found.decisionId, keys).catch(unanswered);
    if (isJson) console.log(plainJson({ codes: found.codes, runs }, 2));
    else {
      for (const one of found.codes) printCode(one);
      for (const run of runs) printExplanation(run);
    }
    return isSound(runs) ? 0 : 1;
  },
};

/** The pages need no Temporal: what they say is told all the same. */
function unanswered(error: unknown): readonly [] {
  if (!(error instanceof BackendProblem)) throw error;
  console.error(`portcullis explain: its decision can't be told: ${plainText(error.message)}`);
  return [];
}

function tell(id: string, runs: readonly Explanation[], isJson: boolean): number {
  if (runs.length === 0) {
    console.error(
      `portcullis explain: Temporal knows no verification ${id}; it never reached Temporal, or its history has expired`,
    );
    return 1;
  }
  if (isJson) console.log(plainJson(runs, 2));
  else for (const run of runs) printExplanation(run);
  return isSound(runs) ? 0 : 1;
}

function isSound(runs: readonly Explanation[]): boolean {
  return runs.every(({ signature }) => signature !== 'does not hold' && signature !== 'outside the window of its key');
}

function nothing(asked: string, codes: Iterable<string>): number {
  const [meant, ...others] = similar(asked, codes);
  const hint =
    meant === undefined ? 'see "portcullis explain --list"' : `did you mean ${[meant, ...others].join(', ')}?`;
  console.error(`portcullis explain: ${JSON.stringify(asked.slice(0, 100))} has no code that is known; ${hint}`);
  return 1;
}

function listCodes(codes: readonly ExplainedCode[], isJson: boolean): number {
  if (isJson) console.log(plainJson(codes, 2));
  else for (const { code, outcome, cause } of codes) console.log(`${code.padEnd(24)} ${outcome.padEnd(13)} ${cause}`);
  return 0;
}

const OUTCOME: Readonly<Record<ExplainedCode['outcome'], string>> = {
  allow: 'the pull goes on',
  deny: 'denied: the evidence, or the policy, says no',
  inconclusive: 'refused for now: it could not be found out; nothing is said of the image',
  launcher: 'refused by the launcher, before anybody was asked; nothing is said of the image',
};

function printCode({ code, outcome, cause, cure }: ExplainedCode): void {
  console.log(`${code}\n  means    ${cause}\n  outcome  ${OUTCOME[outcome]}\n  to do    ${cure}`);
}
