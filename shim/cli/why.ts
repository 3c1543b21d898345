import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { parseArgs } from 'node:util';
import { plainJson, plainText } from '../../workflows/format/plain-text.ts';
import { type DecisionLine, isAbout, parseDecisionLine } from '../log/decision-lines.ts';
import { wrongUsage } from './options.ts';

const HELP = `Tells why this node let an image in, or did not, from the daemon's log.

Usage: portcullis why IMAGE [OPTIONS]

  IMAGE                a name as you pulled it (nginx, nginx:1.27, ghcr.io/a/app@sha256:...), a digest or the beginning of one,
                       or the id that a refusal ends with
  --log FILE           the daemon's log; "-" reads standard input (default: journalctl -u portcullis-shim)
  --limit N            so many decisions, the newest first (default 3)
  --output text|json   (default text)

Exit code 0: the newest decision allows. 1: it refuses. 3: the log has none about it.`;

export const whyCommand = {
  help: HELP,
  async run(args: readonly string[]): Promise<number> {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        log: { type: 'string' },
        limit: { type: 'string', default: '3' },
        output: { type: 'string', default: 'text' },
      },
    });
    const [asked, ...more] = positionals;
    const limit = Number(values.limit);
    if (asked === undefined || more.length > 0 || !(Number.isInteger(limit) && limit >= 1 && limit <= 1_000)) {
      return wrongUsage('why', 'expected one IMAGE, and --limit 1 to 1000');
    }
    const found = await newest(openLog(values.log), asked, limit);
    if (values.output === 'json') console.log(plainJson(found, 2));
    else print(asked, found);
    const [last] = found;
    return last === undefined ? 3 : last.decision === 'allow' ? 0 : 1;
  },
};

/** A log that can't be read ends what reads it, with the reason. */
function openLog(log: string | undefined): Readable {
  if (log === '-') return process.stdin;
  if (log !== undefined) return createReadStream(log);
  const journal = spawn('journalctl', ['-u', 'portcullis-shim', '-o', 'cat', '--no-pager'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  journal.once('error', (error) =>
    journal.stdout.destroy(new Error(`journalctl: ${error.message}; name the log with --log`)),
  );
  return journal.stdout;
}

/** The last so many decisions about it, the newest first. */
async function newest(log: Readable, asked: string, limit: number): Promise<readonly DecisionLine[]> {
  const found: DecisionLine[] = [];
  for await (const line of createInterface({ input: log, crlfDelay: Number.POSITIVE_INFINITY })) {
    const decision = parseDecisionLine(line);
    if (decision === undefined || !isAbout(decision, asked)) continue;
    found.push(decision);
    if (found.length > limit) found.shift();
  }
  return found.toReversed();
}

function print(asked: string, found: readonly DecisionLine[]): void {
  if (found.length === 0) {
    console.log(
      `no decision about ${plainText(asked)} in the log: it was not pulled here, or the log does not go back so far`,
    );
  }
  for (const { time, name, digest, decision, reason, decisionId } of found) {
    console.log(
      `${plainText(time)} ${decision === 'allow' ? 'allowed' : 'refused'} ${plainText(name)}@${plainText(digest)}`,
    );
    console.log(`  ${plainText(reason)}`);
    if (decisionId !== undefined && decision !== 'allow')
      console.log(`  more: portcullis explain ${plainText(decisionId)}`);
  }
}
